"""Devices that make their own keys, and enroll and renew over mutual TLS."""

import base64
import http.client
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs7,
)
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Credentials:
    """A certificate and its key, in the form that TLS needs."""

    certificate: x509.Certificate
    pem: bytes
    """The key, then the certificate."""


@dataclass(frozen=True)
class ESTServer:
    """The server at which devices enroll, and the CA with which they verify it."""

    port: int
    trust_anchor: Path

    def enroll(self, name: str, serial: str, client: bytes, operation: str) -> Credentials:
        """Return a certificate for a new key. ``client`` is PEM. A refusal ends the demo."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = [
            x509.NameAttribute(NameOID.COMMON_NAME, name),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, serial),
            x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
        ]
        csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
        body = base64.b64encode(csr.sign(key, SHA256()).public_bytes(Encoding.DER))
        answer = self._post(f"/.well-known/est/{operation}", body, client)
        (certificate,) = pkcs7.load_der_pkcs7_certificates(base64.b64decode(answer))
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return Credentials(certificate, secret + certificate.public_bytes(Encoding.PEM))

    def _post(self, path: str, body: bytes, client: bytes) -> bytes:
        context = ssl.create_default_context(cafile=str(self.trust_anchor))
        with tempfile.NamedTemporaryFile() as file:  # ssl reads certificates from files only
            file.write(client)
            file.flush()
            context.load_cert_chain(file.name)
        connection = http.client.HTTPSConnection(
            "localhost", self.port, timeout=30, context=context
        )
        try:
            connection.request("POST", path, body, {"Content-Type": "application/pkcs10"})
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise SystemExit(f"{path} answered {response.status}: {answer.decode()}")
        return answer


@dataclass
class Device:
    """A device with its current credentials."""

    name: str
    serial: str
    server: ESTServer
    credentials: Credentials | None = None

    def enroll(self, bootstrap: bytes) -> None:
        """Get a first certificate, with the bootstrap client's."""
        self.credentials = self.server.enroll(self.name, self.serial, bootstrap, "simpleenroll")

    def renew(self) -> None:
        """Get a new certificate, with the current one."""
        if self.credentials is None:
            raise AssertionError("The device has not enrolled.")
        self.credentials = self.server.enroll(
            self.name, self.serial, self.credentials.pem, "simplereenroll"
        )
