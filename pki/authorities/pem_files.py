"""Certificates and keys in the PEM files that an operator names."""

from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key

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


def read_private_key(path: Path) -> CertificateIssuerPrivateKeyTypes:
    """Return the private key in a PEM file. Raises ``OperatorError`` unless it can sign."""
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise _unreadable(path, error) from error
    except TypeError as error:
        raise OperatorError(
            f"{path} is encrypted. Decrypt it for the import (openssl pkey -in ... -out ...). It "
            "is stored encrypted again."
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise OperatorError(
            f"{path} holds no private key that can be read. Give it as PEM, which begins with "
            "-----BEGIN PRIVATE KEY-----."
        ) from error
    if not isinstance(key, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)):
        raise OperatorError(f"{path} holds a {type(key).__name__}. Give an EC or RSA key.")
    return key


def _unreadable(path: Path, error: OSError) -> OperatorError:
    return OperatorError(
        f"{path} cannot be read: {error.strerror}. Correct the path, or make the file readable for "
        "this process."
    )
