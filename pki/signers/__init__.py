"""Signers turn an accepted request into a certificate. The configuration gives each an alias.

An alias is configured in the shape of Django's ``STORAGES``:
``{BACKEND: dotted.path, OPTIONS: {}}``. `pki.signers.base` describes how a signer is added.
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

__all__ = [
    "ExistingAuthority",
    "KeySigner",
    "Signer",
    "authority_key",
    "get_signer",
    "signer_class",
]


def signer_class(alias: str, backend: str) -> type[Signer]:
    """Return the class with the dotted path ``backend``, which messages name with its alias.

    Raises ``OperatorError`` for a path that cannot be imported, or that is not a signer's.
    """
    try:
        imported = import_string(backend)
    except ImportError as error:
        raise OperatorError(
            f"The signer {alias!r} cannot be made: {backend} cannot be imported ({error}). "
            f"Correct its BACKEND under {setting_name('signers')}."
        ) from error
    if not isinstance(imported, type) or not issubclass(imported, Signer):
        raise OperatorError(
            f"The signer {alias!r} cannot be made: {backend} is not a subclass of "
            f"pki.signers.Signer. Correct its BACKEND under {setting_name('signers')}."
        )
    return imported


@cache
def get_signer(alias: str) -> Signer:
    """Return the signer of that alias, which is made once per process.

    Raises ``OperatorError`` for an alias that is not configured, as ``signer_class`` does, and for
    options that the signer does not take.
    """
    known = pki_settings().signers
    if alias not in known:
        raise OperatorError(
            f"The signer {alias!r} is not configured. The configuration has: "
            f"{', '.join(sorted(known)) or 'none'}. Add it under {setting_name('signers')}."
        )
    return signer_class(alias, known[alias]["BACKEND"])(**known[alias].get("OPTIONS", {}))


def authority_key(
    ca: "CertificateAuthority", *, otherwise: str
) -> CertificateIssuerPrivateKeyTypes:
    """Return the private key of ``ca``, for what an operator asked for (a CRL, a successor).

    Raises ``OperatorError`` when no signer here has the key, with the sentence ``otherwise`` as
    advice, and when the signer cannot get at it, with the signer's reason.
    """
    signer = get_signer(ca.signer) if ca.signer else None
    if not isinstance(signer, KeySigner):
        raise OperatorError(f"This server does not have the key of {ca}. {otherwise}")
    try:
        return signer.key_of(ca.key_reference, ca.certificate)
    except SignerUnavailable as error:
        cause = error.__cause__ or error.message
        sentence = f"The signer {ca.signer!r} cannot get at the key of {ca} ({cause})."
        if not isinstance(cause, RemoteFailure):  # which gives its own advice
            sentence += " Check that the key and its passphrase are those that it was stored with."
        raise OperatorError(sentence) from error
