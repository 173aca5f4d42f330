"""The device that a smoke test simulates: new keys, in files that are deleted at the end."""

import base64
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from estserver.smoke.wire import Credentials

UNASSIGNED_COUNTRY = "ZZ"
"""A country code that ISO 3166-1 leaves to its users."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A new key, and the name for which it asks a certificate."""

    common_name: str
    is_cn_only: bool = False
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1()), repr=False
    )

    @property
    def csr(self) -> bytes:
        """The CSR in base64, the form in which EST sends it."""
        return base64.b64encode(self.csr_der)

    @property
    def csr_der(self) -> bytes:
        """The CSR in DER."""
        csr = (
            x509.CertificateSigningRequestBuilder()
            .subject_name(x509.Name(self._subject()))
            .sign(self.key, SHA256())
        )
        return csr.public_bytes(Encoding.DER)

    def _subject(self) -> Iterator[x509.NameAttribute[str]]:
        yield x509.NameAttribute(NameOID.COMMON_NAME, self.common_name)
        if not self.is_cn_only:
            # The server's default provisioning template takes these from the subject. Without them
            # AWS IoT makes no thing of this name.
            yield x509.NameAttribute(NameOID.SERIAL_NUMBER, self.common_name)
            yield x509.NameAttribute(NameOID.COUNTRY_NAME, UNASSIGNED_COUNTRY)

    def save(self, certificate: x509.Certificate, directory: Path) -> Credentials:
        """Write certificate and key as files, which OpenSSL needs. Only the owner reads the key."""
        directory.mkdir(mode=0o700, exist_ok=True)
        pem, key = directory / "device.pem", directory / "device.key"
        pem.write_bytes(certificate.public_bytes(Encoding.PEM))
        descriptor = os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return Credentials(pem, key)
