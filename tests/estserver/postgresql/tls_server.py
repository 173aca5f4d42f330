"""A private PostgreSQL server that speaks TLS, with a certificate for one name."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.support.builders import make_ca, make_certificate, make_key
from tests.support.postgresql import PostgreSQLServer, private_server

HOST = "db.example.com"


@dataclass(frozen=True)
class TLSServer:
    """A server, and the file of the CA that its certificate is of."""

    server: PostgreSQLServer
    ca: Path

    @property
    def port(self) -> int:
        """Return the TCP port on 127.0.0.1."""
        return self.server.port

    @property
    def password(self) -> str:
        """Return the password of the user `est`."""
        return (self.server.directory / "password").read_text()


@contextmanager
def tls_server() -> Iterator[TLSServer]:
    """Start a server that takes TLS connections only, beside the tests' own on its socket."""
    with private_server() as server:
        ca = make_ca("database CA")
        leaf_key = make_key(index=7)
        leaf = make_certificate(
            ca, HOST, public_key=leaf_key.public_key(), san=[x509.DNSName(HOST)], extensions=[]
        )
        data = server.directory / "data"
        pem = leaf.public_bytes(Encoding.PEM)
        key = leaf_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        for name, content in (("server.crt", pem), ("server.key", key)):
            path = data / name
            path.write_bytes(content)
            path.chmod(0o600)
            if os.geteuid() == 0:
                shutil.chown(path, "postgres", "postgres")
        trusted = server.directory / "ca.pem"
        trusted.write_bytes(ca.certificate.public_bytes(Encoding.PEM))
        server.execute("ALTER SYSTEM SET ssl = on")
        server.stop()
        rules = (data / "pg_hba.conf").read_text()
        (data / "pg_hba.conf").write_text(
            rules.replace("host    all", "hostssl all").replace("hostnossl", "#")
        )
        server.start()
        yield TLSServer(server, trusted)
