"""What turns an accepted request into a certificate: chosen by alias, one class a module.

Aliases are configured in the shape of Django's ``STORAGES``:
``{BACKEND: dotted.path, OPTIONS: {}}``.
"""

from functools import cache
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from django.utils.module_loading import import_string

from pki.conf import pki_settings, setting_name
from pki.exceptions import SignerUnavailable
from pki.operators.errors import OperatorError, RemoteFailure
from pki.signers.base import ExistingAuthority, KeySigner, Signer

if TYPE_CHECKING:  # signers may be imported by settings, before the models can be
    from pki.models import CertificateAuthority

__all__ = ["ExistingAuthority", "KeySigner", "Signer", "authority_key", "get_signer"]


@cache
def get_signer(alias: str) -> Signer:
    """The signer of that alias, made once per process.

    Raises ``OperatorError`` for an alias that isn't configured or a class that can't be imported.
    """
    known = pki_settings().signers
    if alias not in known:
        raise OperatorError(
            f"signer {alias!r} isn't configured; the configuration has: "
            f"{', '.join(sorted(known)) or 'none'}. Add it under {setting_name('signers')}"
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


def authority_key(
    ca: "CertificateAuthority", *, otherwise: str
) -> CertificateIssuerPrivateKeyTypes:
    """The private key of ``ca``, for what an operator asked for (a CRL, a successor).

    Raises ``OperatorError``: the key isn't here, which ends with ``otherwise``, what to do then;
    or it can't be had, with the signer's own words for why.
    """
    signer = get_signer(ca.signer) if ca.signer else None
    if not isinstance(signer, KeySigner):
        raise OperatorError(f"the key of {ca} isn't here: {otherwise}")
    try:
        return signer.key_of(ca.key_reference, ca.certificate)
    except SignerUnavailable as error:
        why = error.__cause__ or error.message
        sentence = f"the signer {ca.signer!r} can't get at the key of {ca} ({why})"
        if not isinstance(why, RemoteFailure):  # which says itself what to do
            sentence += ": see that the key and its passphrase are the ones it was stored with"
        raise OperatorError(sentence) from error
