"""Certificates for tests of the server: a root, an intermediate, a device, and a stranger."""

import datetime as dt
import ssl

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from estserver.local_server.server_certificate import ensure_server_certificate

NOW = dt.datetime.now(dt.UTC)
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


class Party:
    """A certificate with its key, which can issue others."""

    def __init__(self, name, issuer=None, *, ca=False, not_after=NOW + dt.timedelta(days=9)):
        self.key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        issuer = issuer or self
        issuer_name = subject if issuer is self else issuer.certificate.subject
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer_name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - dt.timedelta(days=9))
            .not_valid_after(not_after)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        self.certificate = builder.sign(issuer.key, SHA256())

    @property
    def pem(self):
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def der(self):
        return self.certificate.public_bytes(Encoding.DER)

    def save(self, directory, *chain):
        """Write key, certificate and ``chain`` to a file that `ssl` loads; return its path."""
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path = directory / f"{self.certificate.serial_number}.pem"
        path.write_text(key.decode() + self.pem + "".join(party.pem for party in chain))
        return path


class Fleet:
    """A PKI and a server certificate, which many tests share and none changes."""

    def __init__(self, directory):
        self.directory = directory
        self.root = Party("root", ca=True)
        self.intermediate = Party("intermediate", self.root, ca=True)
        self.device = Party("device", self.intermediate)
        yesterday = NOW - dt.timedelta(days=1)
        self.expired = Party("expired", self.intermediate, not_after=yesterday)
        self.other_root = Party("other root", ca=True)
        self.stranger = Party("stranger", self.other_root)
        self.server = ensure_server_certificate(directory / "server")

    def client_context(self, party=None, *chain, version=None):
        """Return the TLS settings of a client that presents ``party`` and sends ``chain``."""
        context = ssl.create_default_context(cafile=str(self.server.ca))
        if version:
            context.minimum_version = context.maximum_version = version
        if party:
            context.load_cert_chain(party.save(self.directory, *chain))
        return context
