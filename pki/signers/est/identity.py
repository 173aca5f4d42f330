"""Who this server is to an upstream EST server: its own client certificate, from wherever."""

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

from pki.aws import clients as aws
from pki.csr.public_keys import public_keys_equal
from pki.operators.errors import OperatorError

SECRET_SECONDS = 4  # a device waits meanwhile


class ClientIdentity(ABC):
    """A client certificate, with what chain upstream needs, and its key."""

    @abstractmethod
    def read(self) -> tuple[bytes, bytes]:
        """Certificates and key, PEM. Raises ``OperatorError``."""

    @sensitive_variables()
    def load_into(self, context: ssl.SSLContext) -> None:
        """Give ``context`` the certificate and the key.

        Python's TLS takes keys from files only, so a file it is, for a moment, encrypted with a
        passphrase that nobody ever knows. Raises ``OperatorError`` when something is wrong with
        the certificate, with the key, or with the two together.
        """
        certificates, encrypted_key, passphrase = self._prepared()
        with tempfile.TemporaryDirectory(prefix="est-") as directory:
            path = Path(directory, "client.pem")
            path.write_bytes(certificates + b"\n" + encrypted_key)
            try:
                context.load_cert_chain(path, password=passphrase)
            except ssl.SSLError as error:  # a key that OpenSSL's security level doesn't let pass
                raise OperatorError(
                    f"{self}: TLS doesn't take the client certificate ({error.reason}): use one "
                    "with a P-256 or RSA-2048 key, or better, signed with SHA-256"
                ) from error

    @sensitive_variables()
    def _prepared(self) -> tuple[bytes, bytes, str]:
        """The certificates, the key encrypted, and its passphrase."""
        certificate_pem, key_pem = self.read()
        try:
            certificate = x509.load_pem_x509_certificates(certificate_pem)[0]
        except ValueError as error:
            raise OperatorError(
                f"{self}: the client certificate can't be read: wanted PEM, which begins with "
                "-----BEGIN CERTIFICATE-----"
            ) from error
        try:
            key = load_pem_private_key(key_pem, password=None)
        except TypeError as error:
            raise OperatorError(
                f"{self}: the client key is encrypted, and nobody could type its passphrase: "
                "store it without one (openssl pkey -in ... -out ...)"
            ) from error
        except (ValueError, UnsupportedAlgorithm):
            # Without its cause, which may quote the key.
            raise OperatorError(
                f"{self}: the client key can't be read: wanted PEM, which begins with "
                "-----BEGIN PRIVATE KEY-----"
            ) from None
        if not public_keys_equal(key.public_key(), certificate.public_key()):
            raise OperatorError(
                f"{self}: the client key isn't that of the client certificate: give the two that "
                "belong together"
            )
        passphrase = secrets.token_urlsafe(32)
        encryption = BestAvailableEncryption(passphrase.encode())
        return (
            certificate_pem,
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption),
            passphrase,
        )


@dataclass(frozen=True)
class FromFiles(ClientIdentity):
    """Two PEM files, read anew whenever a connection needs them again."""

    certificate: str
    key: str

    def __post_init__(self) -> None:
        """Look at the files now, so that `manage.py check` can say what is wrong with them."""
        self._prepared()

    def __str__(self) -> str:
        return f"ESTSigner: {self.certificate} and {self.key}"

    def read(self) -> tuple[bytes, bytes]:
        """The contents of both files."""
        return read_file(self.certificate), read_file(self.key)


@dataclass(frozen=True)
class FromSecret(ClientIdentity):
    """A secret in AWS Secrets Manager: the JSON object ``{"certificate": PEM, "key": PEM}``."""

    name: str

    def __str__(self) -> str:
        return f"ESTSigner: the secret {self.name}"

    @sensitive_variables()
    def read(self) -> tuple[bytes, bytes]:
        """What the secret says now. Raises ``RemoteFailure`` when AWS doesn't."""
        with aws.as_remote_failure("secretsmanager:GetSecretValue"):
            client = aws.client("secretsmanager", read_timeout=SECRET_SECONDS)
            answer = client.get_secret_value(SecretId=self.name)
        try:
            said = json.loads(answer["SecretString"])
            return said["certificate"].encode(), said["key"].encode()
        except (KeyError, TypeError, AttributeError, ValueError):
            # Without its cause, which may quote the secret.
            raise OperatorError(
                f'{self} isn\'t the JSON object {{"certificate": PEM, "key": PEM}}: store it so'
            ) from None


def read_file(path: str) -> bytes:
    """The contents of a file that OPTIONS name. Raises ``OperatorError``."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise OperatorError(f"ESTSigner: can't read {path}: {error.strerror}") from error
