"""The keys of CAs, as far as signers have them."""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

from pki.csr.public_keys import public_key_sha256
from pki.csr.subjects import name_text
from pki.exceptions import SignerUnavailable
from pki.models import CertificateAuthority
from pki.operators.errors import OperatorError
from pki.signers import KeySigner, get_signer


def key_signer(alias: str) -> KeySigner:
    """Return the signer. Raises ``OperatorError`` for one that has no keys of CAs."""
    signer = get_signer(alias)
    if not isinstance(signer, KeySigner):
        raise OperatorError(
            f"The signer {alias!r} stores no keys of CAs. Choose a signer that does."
        )
    return signer


def find_key(alias: str, certificate: x509.Certificate) -> str:
    """Return the reference of the CA's key that the signer has; "" for a PKI outside.

    Raises ``OperatorError`` when a signer that stores keys does not have this one.
    """
    signer = get_signer(alias)
    if not isinstance(signer, KeySigner):
        return ""
    reference = signer.find_key(certificate)
    if not reference:
        raise OperatorError(
            f"The signer {alias!r} needs the private key of {name_text(certificate.subject)}. "
            "Give the key's file, or choose the signer of the PKI that has it."
        )
    return reference


def new_key(alias: str, reference: str) -> CertificateIssuerPrivateKeyTypes:
    """Return a key that was made for a new CA.

    Raises ``OperatorError`` when the signer cannot get at it, or a CA on record has it.
    """
    try:
        key = key_signer(alias).private_key(reference)
    except SignerUnavailable as error:
        raise OperatorError(
            f"The signer {alias!r} made the key {reference}, and cannot get at it "
            f"({error.__cause__ or error.message}). The key is not used. Correct that, then try "
            "again."
        ) from error
    key_sha256 = public_key_sha256(key.public_key())
    owner = CertificateAuthority.objects.filter(key_sha256=key_sha256).first()
    if owner is not None:
        raise OperatorError(
            f"The signer {alias!r} is set to one key, which {owner} has. Name another in its "
            "OPTIONS, or none, so that it makes one."
        )
    return key
