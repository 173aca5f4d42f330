"""The contents of a certificate.

Only the public key, and the subject and SAN after their checks, come from the CSR (RFC 5280 4.2). A
device cannot ask for more than it is granted.
"""

import datetime
import secrets
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID

from pki.encoding.key_usage import key_usage

SERIAL_NUMBER_BITS = 159
"""RFC 5280 4.1.2.2 allows 20 octets and a positive number, so 159 bits. All are random."""


@dataclass(frozen=True, slots=True)
class SigningRequest:
    """The certificate to be signed, as the intent on record has it."""

    csr: x509.CertificateSigningRequest
    subject: x509.Name
    san: x509.SubjectAlternativeName | None
    serial_number: int
    not_before: datetime.datetime
    not_after: datetime.datetime
    tenant_id: str = ""
    public_key: CertificatePublicKeyTypes | None = None
    """The CSR's key, for whoever has read it already."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """The CA that signs, with what all of its certificates have in common."""

    certificate: x509.Certificate
    name: x509.Name
    authority_key_identifier: x509.AuthorityKeyIdentifier
    key_reference: str
    not_after: datetime.datetime


def authority_key_identifier(certificate: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """Return the authority key identifier for certificates of this CA (RFC 5280 4.2.1.1).

    It is the CA's own subject key identifier. An imported CA may lack one, and then it is derived
    from the key.
    """
    try:
        identifier = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(certificate.public_key())  # type: ignore[arg-type]
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier.value)


_NOT_A_CA = x509.BasicConstraints(ca=False, path_length=None)
_CLIENT_AUTH = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])


def _with_usage(usage: x509.KeyUsage) -> x509.CertificateBuilder:
    """Return the first extensions of every certificate, which are made once."""
    return (
        x509.CertificateBuilder()
        .add_extension(_NOT_A_CA, critical=True)
        .add_extension(usage, critical=True)
        .add_extension(_CLIENT_AUTH, critical=False)
    )


_FOR_OTHER_KEYS = _with_usage(key_usage(digital_signature=True))
_FOR_RSA_KEYS = _with_usage(key_usage(digital_signature=True, key_encipherment=True))


def random_serial_number() -> int:
    """Return a random serial number, whose first bit is set so that it is never zero."""
    return secrets.randbits(SERIAL_NUMBER_BITS - 1) | 1 << SERIAL_NUMBER_BITS - 1


def signature_hash(
    issuer_key: CertificatePublicKeyTypes,
) -> hashes.SHA256 | hashes.SHA384 | hashes.SHA512:
    """Return the hash that is as strong as the issuer's curve, SHA-256 at least."""
    if isinstance(issuer_key, ec.EllipticCurvePublicKey):
        if issuer_key.key_size > 384:
            return hashes.SHA512()
        if issuer_key.key_size > 256:
            return hashes.SHA384()
    return hashes.SHA256()


def build_certificate(request: SigningRequest, issuer: Issuer) -> x509.CertificateBuilder:
    """Return the device or client certificate that ``request`` asks of ``issuer``, unsigned.

    Version 3, CA:FALSE and key usage critical, clientAuth, SKI and AKI (RFC 5280 4.2.1).
    """
    public_key = request.public_key or request.csr.public_key()
    common = _FOR_RSA_KEYS if isinstance(public_key, rsa.RSAPublicKey) else _FOR_OTHER_KEYS
    builder = (
        common.subject_name(request.subject)
        .issuer_name(issuer.name)
        .public_key(public_key)
        .serial_number(request.serial_number)
        .not_valid_before(request.not_before)
        .not_valid_after(request.not_after)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(issuer.authority_key_identifier, critical=False)
    )
    if request.san is not None:
        builder = builder.add_extension(request.san, critical=False)
    return builder
