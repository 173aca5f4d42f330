"""CA certificates (RFC 5280): those that are made here, and the checks of those from elsewhere."""

import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import (
    CertificateIssuerPrivateKeyTypes,
    CertificateIssuerPublicKeyTypes,
)
from django.utils import timezone

from pki.csr.subjects import name_text
from pki.encoding.certificates import is_ca, is_signed_by
from pki.encoding.key_usage import key_usage
from pki.operators.errors import OperatorError
from pki.record.intents import BACKDATING
from pki.signers.certificate_contents import random_serial_number, signature_hash
from pki.signers.issuer_name import sign_certificate


def make_ca_certificate(
    subject: x509.Name,
    public_key: CertificateIssuerPublicKeyTypes,
    issuer_key: CertificateIssuerPrivateKeyTypes,
    until: datetime.datetime,
    now: datetime.datetime,
    *,
    issuer: x509.Certificate | None = None,
) -> x509.Certificate:
    """Return a CA certificate for signing certificates and CRLs only (RFC 5280 4.2.1).

    It is self-signed, or signed by a CA of the same subject with another key, whose certificate is
    ``issuer``.
    """
    # Below a self-signed certificate there is room for the cross-certificate of a rollover. That
    # one is self-issued, so RFC 5280 4.2.1.9 does not count it, but Go and Python's cryptography
    # do.
    path_length = 0 if issuer else 1
    authority_key = public_key_of(issuer) if issuer else public_key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public_key)
        .serial_number(random_serial_number())
        .not_valid_before((now - BACKDATING).replace(microsecond=0))
        .not_valid_after(until.replace(microsecond=0))
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key), critical=False
        )
    )
    if issuer is not None:
        return sign_certificate(builder, issuer_key, issuer)
    return builder.sign(issuer_key, signature_hash(issuer_key.public_key()))


def public_key_of(ca: x509.Certificate) -> CertificateIssuerPublicKeyTypes:
    """Return the public key of a CA's certificate, which is of a kind that can sign."""
    return ca.public_key()  # type: ignore[return-value]  # a CA's key can sign


def check_ca_certificate(certificate: x509.Certificate) -> None:
    """Raise ``OperatorError`` unless this is a CA's certificate that is valid now."""
    subject = name_text(certificate.subject)
    if not is_ca(certificate):
        raise OperatorError(
            f"{subject} is not a CA certificate (basicConstraints CA:TRUE is missing). Give the "
            "certificate of the CA, not of a server or device."
        )
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        usage = None
    if usage is not None and not usage.key_cert_sign:
        raise OperatorError(
            f"{subject} may not sign certificates (its key usage lacks keyCertSign). Give the "
            "certificate of a CA that may."
        )
    if certificate.not_valid_after_utc <= timezone.now():
        raise OperatorError(
            f"{subject} expired on {certificate.not_valid_after_utc:%Y-%m-%d}. Give its successor."
        )
    if certificate.not_valid_before_utc > timezone.now():
        raise OperatorError(
            f"{subject} begins on {certificate.not_valid_before_utc:%Y-%m-%d}. Check this "
            "machine's clock, or import the CA then."
        )


def check_chain(certificate: x509.Certificate, chain: list[x509.Certificate]) -> None:
    """Raise ``OperatorError`` unless each certificate is signed by the next of ``chain``."""
    below = certificate
    for above in chain:
        if not is_signed_by(below, above):
            raise OperatorError(
                f"{name_text(below.subject)} is not signed by {name_text(above.subject)}. Order "
                "the file from the CA up to its root."
            )
        below = above
