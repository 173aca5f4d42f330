"""Certificates and keys in the PEM files that an operator names."""

from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.views.decorators.debug import sensitive_variables

from pki.encoding.ca_files import read_ca_certificates
from pki.operators.errors import OperatorError


def read_certificates(path: Path) -> list[x509.Certificate]:
    """Return the certificates in a PEM file.

    Raises ``OperatorError`` when there are none, or one of them cannot be read.
    """
    try:
        return read_ca_certificates(path.read_bytes())
    except OSError as error:
        raise _unreadable(path, error) from error
    except ValueError as error:
        raise OperatorError(f"{path} cannot be read as CA certificates. {error}") from error


def read_private_key(path: Path, *, passphrase: str = "") -> CertificateIssuerPrivateKeyTypes:
    """Return the private key in a PEM file. Raises ``OperatorError`` unless it can sign."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error
    return parse_private_key(content, passphrase=passphrase, where=str(path))


@sensitive_variables()
def parse_private_key(
    pem: bytes, *, passphrase: str = "", where: str
) -> CertificateIssuerPrivateKeyTypes:
    """Return the private key in a PEM text, decrypted with ``passphrase`` if it is encrypted.

    Raises ``OperatorError`` unless it can sign. ``where`` begins the sentence.
    """
    complaint, key = "", None
    try:
        key = load_pem_private_key(pem, password=passphrase.encode() or None)
    except TypeError:
        complaint = (
            "is not encrypted, and there is a passphrase. Leave the passphrase out."
            if passphrase
            else "is encrypted. Decrypt it for the import (openssl pkey -in ... -out ...), or give "
            "its passphrase. It is stored encrypted again."
        )
    except (ValueError, UnsupportedAlgorithm):
        complaint = (
            "cannot be decrypted with that passphrase. Give the one that it was encrypted with."
            if passphrase and b"ENCRYPTED" in pem
            else "holds no private key that can be read. Give it as PEM, which begins with "
            "-----BEGIN PRIVATE KEY-----."
        )
    if key is not None and not isinstance(key, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)):
        complaint = f"holds a {type(key).__name__}. Give an EC or RSA key."
    if complaint:  # raised out here, because the library's errors hold what they refuse
        raise OperatorError(f"{where} {complaint}")
    return key  # type: ignore[return-value]  # it is of one of the two kinds


def _unreadable(path: Path, error: OSError) -> OperatorError:
    return OperatorError(
        f"{path} cannot be read: {error.strerror}. Correct the path, or make the file readable for "
        "this process."
    )
