"""The client certificate with which this server authenticates to an upstream EST server."""

import json
import secrets
import ssl
import tempfile
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from django.views.decorators.debug import sensitive_variables

from pki.aws.clients import as_remote_failure, aws_client
from pki.csr.public_keys import public_keys_equal
from pki.operators.errors import OperatorError

SECRET_SECONDS = 4  # a device waits meanwhile


class ClientIdentity(ABC):
    """A client certificate with its key, and with the chain that the upstream server needs."""

    @abstractmethod
    def read(self) -> tuple[bytes, bytes]:
        """Return certificates and key, PEM. Raises ``OperatorError``."""

    @sensitive_variables()
    def load_into(self, context: ssl.SSLContext) -> None:
        """Load the certificate and the key into ``context``.

        Python's ``ssl`` loads keys from files only. The key is written to a temporary file,
        encrypted with a random passphrase, and the file is removed at once. Raises
        ``OperatorError`` when the certificate or the key cannot be used, or do not belong together.
        """
        certificates, encrypted_key, passphrase = self._encrypted()
        with tempfile.TemporaryDirectory(prefix="est-") as directory:
            path = Path(directory, "client.pem")
            path.write_bytes(certificates + b"\n" + encrypted_key)
            try:
                context.load_cert_chain(path, password=passphrase)
            except ssl.SSLError as error:  # OpenSSL's security level refuses a weak key
                raise OperatorError(
                    f"{self}: TLS refuses the client certificate ({error.reason}). Use one that "
                    "has a P-256 or RSA-2048 key, or a stronger one, and is signed with SHA-256."
                ) from error

    @sensitive_variables()
    def _encrypted(self) -> tuple[bytes, bytes, str]:
        """Return the certificates, the encrypted key, and the key's passphrase."""
        certificate_pem, key_pem = self.read()
        try:
            certificate = x509.load_pem_x509_certificates(certificate_pem)[0]
        except ValueError as error:
            raise OperatorError(
                f"{self}: The client certificate cannot be read. Give it as PEM, which begins with "
                "-----BEGIN CERTIFICATE-----."
            ) from error
        try:
            key = load_pem_private_key(key_pem, password=None)
        except TypeError as error:
            raise OperatorError(
                f"{self}: The client key is encrypted, and this server has no passphrase for it. "
                "Store it without one (openssl pkey -in ... -out ...)."
            ) from error
        except (ValueError, UnsupportedAlgorithm):
            # Without its cause, which may quote the key.
            raise OperatorError(
                f"{self}: The client key cannot be read. Give it as PEM, which begins with "
                "-----BEGIN PRIVATE KEY-----."
            ) from None
        if not public_keys_equal(key.public_key(), certificate.public_key()):
            raise OperatorError(
                f"{self}: The client key is not that of the client certificate. Give the two that "
                "belong together."
            )
        passphrase = secrets.token_urlsafe(32)
        encryption = BestAvailableEncryption(passphrase.encode())
        return (
            certificate_pem,
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption),
            passphrase,
        )


@dataclass(frozen=True)
class FilesIdentity(ClientIdentity):
    """Two PEM files, which are read again for every new TLS context."""

    certificate: str
    key: str

    def __post_init__(self) -> None:
        """Check the files now, so that `manage.py check` reports what is wrong with them."""
        self._encrypted()

    def __str__(self) -> str:
        return f"ESTSigner: {self.certificate} and {self.key}"

    def read(self) -> tuple[bytes, bytes]:
        """Return the contents of both files."""
        return read_file(self.certificate), read_file(self.key)


@dataclass(frozen=True)
class SecretIdentity(ClientIdentity):
    """A secret in AWS Secrets Manager: the JSON object ``{"certificate": PEM, "key": PEM}``."""

    name: str

    def __str__(self) -> str:
        return f"ESTSigner: the secret {self.name}"

    @sensitive_variables()
    def read(self) -> tuple[bytes, bytes]:
        """Return what the secret holds now. Raises ``RemoteFailure`` and ``OperatorError``."""
        with as_remote_failure("secretsmanager:GetSecretValue"):
            client = aws_client("secretsmanager", read_timeout=SECRET_SECONDS)
            answer = client.get_secret_value(SecretId=self.name)
        try:
            said = json.loads(answer["SecretString"])
            return said["certificate"].encode(), said["key"].encode()
        except (KeyError, TypeError, AttributeError, ValueError):
            # Without its cause, which may quote the secret.
            raise OperatorError(
                f'{self} is not the JSON object {{"certificate": PEM, "key": PEM}}. Store it so.'
            ) from None


def read_file(path: str) -> bytes:
    """Return the contents of a file that OPTIONS name. Raises ``OperatorError``."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise OperatorError(
            f"ESTSigner: {path} cannot be read: {error.strerror}. Correct the path, or make the "
            "file readable for this process."
        ) from error
