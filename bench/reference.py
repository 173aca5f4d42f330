"""What no EST server can do without, as a yardstick that slows down when the machine does.

One reference issuance is the cryptography of a P-256 enrollment (read the CSR, check its proof of
possession, build and sign a certificate with the usual extensions, wrap it as PKCS #7) and one row
of its size committed to SQLite so that it survives a power cut. No Django, no HTTP, no TLS.
"""

import base64
import datetime
import sqlite3
import time
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import ExtendedKeyUsageOID

from bench.load import make_csr

_KEY_USAGE = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


class Reference:
    """The yardstick: a CA key, a CSR, and an SQLite database in ``directory``."""

    def __init__(self, directory: Path) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Reference CA")])
        self._csr = base64.b64decode(make_csr("reference", "p256"))
        self._database = sqlite3.connect(directory / "reference.sqlite3", isolation_level=None)
        self._database.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
            "CREATE TABLE issued (id INTEGER PRIMARY KEY, csr BLOB, certificate BLOB)"
        )

    def measure(self, count: int) -> float:
        """Milliseconds of CPU for one reference issuance, over ``count`` of them."""
        before = time.process_time()
        for _ in range(count):
            certificate = self._issue()
            self._database.execute(
                "INSERT INTO issued (csr, certificate) VALUES (?, ?)", (self._csr, certificate)
            )
        return (time.process_time() - before) * 1000 / count

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def _issue(self) -> bytes:
        csr = x509.load_der_x509_csr(self._csr)
        if not csr.is_signature_valid:
            raise AssertionError("the reference's own CSR doesn't verify")
        key, now = csr.public_key(), datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(csr.subject)
            .issuer_name(self._issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now)
            .not_valid_after(now + datetime.timedelta(days=365))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_KEY_USAGE, critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )
        certificate = builder.sign(self._key, SHA256())
        return pkcs7.serialize_certificates([certificate], Encoding.DER)
