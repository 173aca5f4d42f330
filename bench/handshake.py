"""What a mutual TLS handshake costs the server, without a network.

    python -m bench.handshake [--rounds N] [--handshakes N]

compares the standard library's ssl with pyOpenSSL, which brings the OpenSSL of cryptography, if it
is installed. The client, whose CPU is not counted, is the standard library's in both cases, and
speaks to the server through memory. All keys are P-256, and the server verifies the client.
"""

import argparse
import datetime
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from estserver.local_server.tls import server_context

READ_BYTES = 64 * 1024


@dataclass(frozen=True)
class Files:
    """A CA, and what server and client show of themselves; keys stand beside certificates."""

    directory: Path

    @property
    def authority(self) -> Path:
        """The CA of both."""
        return self.directory / "authority.pem"

    def of(self, name: str) -> tuple[Path, Path]:
        """Return the files of ``name``'s certificate and key."""
        return self.directory / f"{name}.pem", self.directory / f"{name}.key"

    def make(self) -> None:
        """Make a CA and certificates of ``localhost`` and ``client``, valid for a day."""
        ca_key = ec.generate_private_key(ec.SECP256R1())
        ca_name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "CA")])
        for name in ("authority", "localhost", "client"):
            is_ca = name == "authority"
            key = ca_key if is_ca else ec.generate_private_key(ec.SECP256R1())
            now = datetime.datetime.now(datetime.UTC)
            certificate = (
                x509.CertificateBuilder()
                .subject_name(
                    ca_name
                    if is_ca
                    else x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
                )
                .issuer_name(ca_name)
                .public_key(key.public_key())
                .serial_number(x509.random_serial_number())
                .not_valid_before(now - datetime.timedelta(days=1))
                .not_valid_after(now + datetime.timedelta(days=1))
                .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
                .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
                .sign(ca_key, SHA256())
            )
            certificate_file, key_file = self.of(name)
            certificate_file.write_bytes(certificate.public_bytes(Encoding.PEM))
            key_file.write_bytes(
                key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            )


class Server(Protocol):
    """The server's side of one handshake."""

    def receive(self, data: bytes) -> bytes:
        """Go on with what the client sent, and return what is sent to it."""

    def is_done(self) -> bool:
        """Return whether the handshake is complete."""


class StandardLibrary:
    """The side of the server as the device side has it."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)
        self._is_done = False

    def receive(self, data: bytes) -> bytes:
        """Go on with what the client sent, and return what is sent to it."""
        self._in.write(data)
        try:
            self._tls.do_handshake()
            self._is_done = True
        except ssl.SSLWantReadError:
            pass
        return self._out.read()

    def is_done(self) -> bool:
        """Return whether the handshake is complete."""
        return self._is_done


class PyOpenSSL:
    """The same with pyOpenSSL."""

    def __init__(self, openssl: Any, context: Any) -> None:
        self._openssl = openssl
        self._tls = openssl.Connection(context)
        self._tls.set_accept_state()
        self._is_done = False

    def receive(self, data: bytes) -> bytes:
        """Go on with what the client sent, and return what is sent to it."""
        if data:
            self._tls.bio_write(data)
        try:
            self._tls.do_handshake()
            self._is_done = True
        except self._openssl.WantReadError:
            pass
        try:
            reply: bytes = self._tls.bio_read(READ_BYTES)
        except self._openssl.WantReadError:
            return b""
        return reply

    def is_done(self) -> bool:
        """Return whether the handshake is complete."""
        return self._is_done


def shake_hands(server: Server, client_context: ssl.SSLContext) -> float:
    """Shake hands once, and return the server's CPU in seconds."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    spent, is_done = 0.0, False
    while not (is_done and server.is_done()):
        try:
            client.do_handshake()
            is_done = True
        except ssl.SSLWantReadError:
            pass
        began = time.process_time()
        reply = server.receive(outgoing.read())
        spent += time.process_time() - began
        incoming.write(reply)
    return spent


def ways(files: Files) -> dict[str, Callable[[], Server]]:
    """Return what makes the server's side of a handshake, by the library's name."""
    certificate, key = files.of("localhost")
    context = server_context(certificate, key, files.authority.read_text())
    found: dict[str, Callable[[], Server]] = {
        f"ssl, {ssl.OPENSSL_VERSION.split(' ')[1]}": lambda: StandardLibrary(context)
    }
    try:
        from OpenSSL import SSL  # an optional comparison
    except ImportError:
        print("pyOpenSSL is not installed, so it is left out.", file=sys.stderr)
        return found
    other = SSL.Context(SSL.TLS_SERVER_METHOD)
    other.use_certificate_file(str(certificate))
    other.use_privatekey_file(str(key))
    other.load_verify_locations(str(files.authority))
    other.set_verify(SSL.VERIFY_PEER, lambda *arguments: bool(arguments[-1]))
    # As in the device side's context: a ticket would carry the client's certificate.
    other.set_options(SSL.OP_NO_TICKET)
    name = SSL.SSLeay_version(SSL.SSLEAY_VERSION).decode().split(" ")[1]
    found[f"pyOpenSSL, {name}"] = lambda: PyOpenSSL(SSL, other)
    return found


def main() -> int:
    """Command line. Prints a line for each library and version of TLS."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--handshakes", type=int, default=200, help="of each, in a round")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        files = Files(Path(directory))
        files.make()
        libraries = ways(files)
        for version in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
            client = ssl.create_default_context(cafile=str(files.authority))
            client.load_cert_chain(*files.of("client"))
            client.minimum_version = client.maximum_version = version
            measured: dict[str, list[float]] = {name: [] for name in libraries}
            for _ in range(options.rounds):
                for name, make in libraries.items():
                    spent = [shake_hands(make(), client) for _ in range(options.handshakes)]
                    measured[name].append(statistics.median(spent) * 1000)
            for name, figures in measured.items():
                print(
                    f"{version.name}  {name:20}  {statistics.median(figures):.2f} ms "
                    f"({min(figures):.2f} to {max(figures):.2f})"
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
