"""What is read from an X.509 certificate (RFC 5280): issuer's signature, CA flag, names, digests.

Every module that compares or identifies certificates asks here, so one certificate has one
fingerprint and one serial number text everywhere. This module imports ``cryptography``, so
/cacerts must not import it; `pki.encoding.der` has the fingerprint of bytes.
"""

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding


def is_signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Return whether ``issuer`` signed ``certificate``: its name and its signature (RFC 5280 6.1).

    A signature or key that ``cryptography`` does not know counts as not signed. Validity times and
    extensions are not compared.
    """
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True


def is_ca(certificate: x509.Certificate) -> bool:
    """Return whether the certificate says that it is a CA's (RFC 5280 4.2.1.9).

    A certificate without basicConstraints, or whose extensions cannot be read, is not.
    """
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except (x509.ExtensionNotFound, ValueError):
        return False
    return constraints.value.ca


def san_of(extensions: x509.Extensions) -> x509.SubjectAlternativeName | None:
    """Return the subject alternative name among a certificate's or CSR's extensions, if any."""
    try:
        return extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None


def fingerprint_of(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of the whole certificate, in lower-case hex."""
    return certificate.fingerprint(SHA256()).hex()


def serial_number_text(serial_number: int) -> str:
    """Return a serial number in lower-case hex, as the database, logs and pages have it."""
    return f"{serial_number:x}"


def pem_of(*certificates: x509.Certificate) -> str:
    """Return the certificates in PEM form, one after the other."""
    return "".join(one.public_bytes(Encoding.PEM).decode() for one in certificates)
