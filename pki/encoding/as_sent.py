"""Certificates and CSRs that ``cryptography`` can parse only after a deviation was rewritten.

They answer as the library's own classes do. What says which bytes they are, or is verified by their
signature, comes from the bytes as they came: the encoding, the digests and the signed part.
Everything else comes from the rewritten copy, which is never shown, stored or signed.
"""

from typing import Any, cast

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from pki.encoding.deviations import VERSION_OF_CERTIFICATE, normal_certificate, normal_csr
from pki.encoding.nodes import NotDER, children, whole
from pki.encoding.pem import pem_text
from pki.encoding.signatures import has_valid_signature, is_issued_by


class _AsSent:
    """A parsed object, with the bytes that it was made from."""

    label: str

    def __init__(self, parsed: Any, der: bytes) -> None:
        self._parsed = parsed
        self._der = der
        self._signed = children(whole(der))[0].encoded

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parsed, name)

    def public_bytes(self, encoding: Encoding) -> bytes:
        """Return the bytes as they came, in DER or PEM."""
        if encoding is Encoding.DER:
            return self._der
        if encoding is Encoding.PEM:
            return pem_text(self._der, self.label).encode()
        raise ValueError("The encoding is neither DER nor PEM. Use one of them.")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (type(self), x509.Certificate, x509.CertificateSigningRequest)):
            return NotImplemented
        return self._der == other.public_bytes(Encoding.DER)

    def __hash__(self) -> int:
        return hash(self._der)


class CertificateAsSent(_AsSent):
    """A certificate with a deviation that is taken."""

    label = "CERTIFICATE"

    @property
    def tbs_certificate_bytes(self) -> bytes:
        """The part that the issuer signed, as it came."""
        return self._signed

    def fingerprint(self, algorithm: hashes.HashAlgorithm) -> bytes:
        """Return the digest of the whole certificate as it came."""
        digest = hashes.Hash(algorithm)
        digest.update(self._der)
        return digest.finalize()

    def verify_directly_issued_by(self, issuer: x509.Certificate) -> None:
        """Raise ``InvalidSignature`` unless ``issuer`` signed this certificate."""
        if not is_issued_by(cast(x509.Certificate, self), issuer):
            raise InvalidSignature


class CSRAsSent(_AsSent):
    """A CSR with a deviation that is taken."""

    label = "CERTIFICATE REQUEST"

    @property
    def tbs_certrequest_bytes(self) -> bytes:
        """The part that the device signed, as it came."""
        return self._signed

    @property
    def is_signature_valid(self) -> bool:
        """Whether the signature verifies with the key inside, over the bytes as they came."""
        return has_valid_signature(self._parsed, self._signed, self._parsed.public_key())


def certificate_as_sent(der: bytes) -> x509.Certificate | None:
    """Return a certificate whose deviations were rewritten; None if it has none that is taken.

    Raises what ``cryptography`` raises when it cannot parse the rewritten copy either.
    """
    normal = _rewritten(normal_certificate, der)
    if normal is None:
        return None
    parsed = x509.load_der_x509_certificate(normal)
    return cast(x509.Certificate, CertificateAsSent(parsed, der))


def subject_as_it_came(certificate: x509.Certificate) -> bytes:
    """Return the subject's bytes, which the issuer's have in what this CA signs."""
    fields = children(whole(certificate.tbs_certificate_bytes))
    return fields[5 if fields[0].tag == VERSION_OF_CERTIFICATE else 4].encoded


def csr_as_sent(der: bytes) -> x509.CertificateSigningRequest | None:
    """Return a CSR whose deviations were rewritten, as ``certificate_as_sent`` does."""
    normal = _rewritten(normal_csr, der)
    if normal is None:
        return None
    parsed = x509.load_der_x509_csr(normal)
    return cast(x509.CertificateSigningRequest, CSRAsSent(parsed, der))


def _rewritten(rewrite: Any, der: bytes) -> bytes | None:
    try:
        normal: bytes = rewrite(der)
    except NotDER:
        return None
    return normal if normal != der else None
