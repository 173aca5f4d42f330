"""Read certificates and CSRs, with the deviations from DER that are taken.

Every certificate that comes from outside or from the record is read here. What ``cryptography``
parses as it is costs nothing more. `pki.encoding.as_sent`, with the list of deviations behind it,
is imported only for what the library refuses.
"""

import warnings
from typing import Final, TypeGuard

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from pki.encoding.pem import CERTIFICATE, CERTIFICATE_REQUEST, pem_blocks

UNREADABLE: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    UserWarning,
)
"""What ``cryptography`` raises for what it cannot read, some of it only on access to a part.

UserWarning: it warns of names of a wrong length, which is an exception under `python -W error`.
"""

# It does so for what a client sent, and would let it write to stderr. `pki.csr.subjects` refuses
# such lengths in what is to be certified.
warnings.filterwarnings("ignore", message="Attribute's length must be", module=r"pki\.")


def read_certificate(der: bytes) -> x509.Certificate:
    """Return the certificate in ``der``. Raises one of UNREADABLE.

    Some parts are parsed on first access, which can raise one of UNREADABLE too.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
    except UNREADABLE:
        rewritten = _rewritten_certificate(der)
        if rewritten is None:
            raise
        return rewritten
    try:
        _ = certificate.subject, certificate.issuer  # parsed on access: a T61String fails here
    except UNREADABLE:
        return _rewritten_certificate(der) or certificate
    return certificate


def is_rewritten(parsed: object) -> bool:
    """Return whether a certificate or CSR could be parsed only with its deviations rewritten."""
    return not isinstance(parsed, (x509.Certificate, x509.CertificateSigningRequest))


def is_certificate(
    parsed: x509.Certificate | x509.CertificateSigningRequest,
) -> TypeGuard[x509.Certificate]:
    """Return whether this is a certificate and not a CSR, rewritten or not."""
    return hasattr(parsed, "tbs_certificate_bytes")


def read_csr(der: bytes) -> x509.CertificateSigningRequest:
    """Return the CSR in ``der``. Raises one of UNREADABLE, as ``read_certificate`` does.

    What fails only on access to a part, `rewritten_csr` may be able to read.
    """
    try:
        return x509.load_der_x509_csr(der)
    except UNREADABLE:
        rewritten = rewritten_csr(der)
        if rewritten is None:
            raise
        return rewritten


def read_csr_pem(pem: bytes) -> x509.CertificateSigningRequest:
    """Return the first CSR of a PEM text, as ``read_csr`` does. Without one: a ValueError."""
    blocks = pem_blocks(pem, CERTIFICATE_REQUEST)
    if not blocks:
        raise ValueError("There is no PEM certificate request.")
    return read_csr(blocks[0])


def rewritten_csr(der: bytes) -> x509.CertificateSigningRequest | None:
    """Return the CSR with its deviations rewritten; None if that does not make it readable."""
    from pki.encoding.as_sent import csr_as_sent

    try:
        return csr_as_sent(der)
    except UNREADABLE:
        return None


def _rewritten_certificate(der: bytes) -> x509.Certificate | None:
    from pki.encoding.as_sent import certificate_as_sent

    try:
        return certificate_as_sent(der)
    except UNREADABLE:
        return None


def read_certificates(pem: bytes) -> list[x509.Certificate]:
    """Return the certificates of a PEM text, in its order. Raises one of UNREADABLE.

    A text without a certificate is a ValueError.
    """
    certificates = [read_certificate(der) for der in pem_blocks(pem, CERTIFICATE)]
    if not certificates:
        raise ValueError("There is no PEM certificate.")
    return certificates


def read_certificate_pem(pem: bytes) -> x509.Certificate:
    """Return the first certificate of a PEM text, as ``read_certificates`` does."""
    return read_certificates(pem)[0]
