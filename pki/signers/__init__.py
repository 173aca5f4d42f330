"""What turns an accepted request into a certificate: chosen by alias, one class a module.

Aliases are configured in the shape of Django's ``STORAGES``:
``{BACKEND: dotted.path, OPTIONS: {}}``.
"""

from functools import cache

from django.utils.module_loading import import_string

from pki.conf import pki_settings
from pki.exceptions import OperatorError
from pki.signers.base import KeySigner, Signer, SigningRequest

__all__ = ["KeySigner", "Signer", "SigningRequest", "get_signer"]


@cache
def get_signer(alias: str) -> Signer:
    """The signer of that alias, made once per process.

    Raises ``OperatorError`` for an alias that isn't configured or a class that can't be imported.
    """
    known = pki_settings().signers
    if alias not in known:
        raise OperatorError(
            f"signer {alias!r} isn't configured; the configuration has: "
            f"{', '.join(sorted(known)) or 'none'}. Add it under Properties.signers"
        )
    backend = known[alias]["BACKEND"]
    try:
        signer_class = import_string(backend)
    except ImportError as error:
        raise OperatorError(f"signer {alias!r}: can't import {backend}: {error}") from error
    signer = signer_class(**known[alias].get("OPTIONS", {}))
    if not isinstance(signer, Signer):
        raise OperatorError(f"signer {alias!r}: {backend} isn't a pki.signers.Signer")
    return signer
