"""Another EST server, measured beside this one with the same requests and the same clients."""

import ipaddress
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench import load
from bench.installation import CONCURRENCY, SECONDS, Body
from bench.target import Target, answer

TIMEOUT_SECONDS = 30
SHOWN = 160


class PeerUnusable(Exception):
    """The peer cannot be measured. The message says why, and what to do."""


@dataclass(frozen=True)
class Peer:
    """An EST server that somebody else has started."""

    name: str
    address: str
    """A loopback IP address."""
    host: str
    """The name or address that its certificate is for."""
    port: int
    path: str
    server_ca: Path
    client: Path
    client_key: Path
    pid: int
    """Its first process. The CPU of the process and of its descendants is counted."""

    def measure(
        self, operation: str, bodies: list[Body], *, algorithm: str = "p256"
    ) -> load.Report:
        """One connection with mutual TLS for each of ``bodies``, some at a time."""
        return load.run(
            self.target(operation),
            [None if body is None else body.encode() for body in bodies],
            concurrency=CONCURRENCY,
            seconds=SECONDS,
            server_pids=[self.pid],
        )

    def target(self, operation: str) -> Target:
        """Where an operation is."""
        return Target(
            host=self.address,
            port=self.port,
            path=f"{self.path}/{operation}",
            server_ca=self.server_ca,
            client=self.client,
            client_key=self.client_key,
            tls=None,
            timeout=TIMEOUT_SECONDS,
            name=self.host,
        )

    def check(self) -> None:
        """Fetch the CAs and enroll one device, as the measurement will. Raises ``PeerUnusable``."""
        if not Path(f"/proc/{self.pid}").exists():
            raise PeerUnusable(
                f"There is no process {self.pid} (--peer-pid). Give the first process of "
                f"{self.name}, whose CPU is to be counted."
            )
        for operation, csr in (
            ("cacerts", None),
            ("simpleenroll", load.make_csr("bench-check", "p256")),
        ):
            target = self.target(operation)
            head, body, _ = self._answer(target, target.request(csr))
            status = head[9:12].decode("latin-1")
            if not status.startswith("2"):
                said = body[:SHOWN].decode("ascii", "backslashreplace").strip()
                raise PeerUnusable(
                    f"{self.name} answered /{operation} with {status or 'nothing'}: {said!r}. "
                    "Give the URL of its EST operations, and a client certificate that may enroll."
                )

    def _answer(self, target: Target, request: bytes) -> tuple[bytes, bytes, bool]:
        try:
            context = target.context()
        except (OSError, ssl.SSLError) as error:
            raise PeerUnusable(
                f"The files of --peer-ca, --peer-cert and --peer-key cannot be used ({error}). "
                "Give PEM files that belong together."
            ) from error
        try:
            return answer(target, context, request)
        except ssl.SSLCertVerificationError as error:
            raise PeerUnusable(
                f"The certificate of {self.name} is not verified by {self.server_ca} "
                f"({error.verify_message}). Give the CA that signed it with --peer-ca, and a URL "
                "with a name that is in it."
            ) from error
        except ssl.SSLError as error:
            raise PeerUnusable(
                f"{self.name} ended the TLS handshake ({error.reason}). Give a client certificate "
                "that it trusts with --peer-cert and --peer-key."
            ) from error
        except OSError as error:
            raise PeerUnusable(
                f"{self.name} does not answer at {self.host}:{self.port} ({error}). "
                "Start it, and give its URL with --peer."
            ) from error


def parse_peer(named_url: str, *, files: tuple[Path, Path, Path], pid: int) -> Peer:
    """Return the peer that the command line names: NAME=URL, with CA, client and key.

    Raises ``PeerUnusable``.
    """
    name, _, url = named_url.partition("=")
    parts = urlsplit(url)
    if not name or parts.scheme != "https" or not parts.hostname:
        raise PeerUnusable(
            f"--peer {named_url!r} is not NAME=URL. Give for example "
            "libest=https://localhost:8085/.well-known/est."
        )
    try:
        address = ipaddress.ip_address(socket.gethostbyname(parts.hostname))
    except OSError as error:
        raise PeerUnusable(
            f"The host {parts.hostname!r} of {name} is not known ({error}). Give its address."
        ) from error
    if not address.is_loopback:
        raise PeerUnusable(
            f"{name} is at {address}, which is not this machine. Start it here, on a loopback "
            "address: a load is sent to no other machine."
        )
    server_ca, client, key = files
    path = parts.path.rstrip("/")
    return Peer(
        name, str(address), parts.hostname, parts.port or 443, path, server_ca, client, key, pid
    )
