"""Devices that enroll whatever happens, and write down what they were given before they go on."""

import base64
import http.client
import os
import ssl
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import pkcs7

from tests.estserver.proof.client import client_context
from tests.interop.server import Installation
from tests.support.builders import make_csr

PATIENCE_SECONDS = 120


@dataclass
class Fleet:
    """Devices that enroll one after the other on a few connections."""

    installation: Installation
    directory: Path
    """Where the journals are: what devices hold in their hands, one line a certificate."""
    stop: threading.Event = field(default_factory=threading.Event)
    answered: int = 0
    lost_connections: int = 0
    errors: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def received(self) -> list[str]:
        """The SHA-256 of every certificate in the journals."""
        return [
            line
            for journal in self.directory.glob("journal-*")
            for line in journal.read_text().splitlines()
        ]

    def context(self) -> ssl.SSLContext:
        """TLS as the bootstrap client."""
        return client_context(self.installation.server_ca, self.installation.test_client)

    def enroll_all(self, number: int) -> None:
        """One connection's devices, until told to stop.

        Every other connection's devices send the same CSR again after a broken connection, as most
        do; the others' are never heard of again, and leave intents behind.
        """
        context = self.context()
        journal = os.open(self.directory / f"journal-{number}", os.O_WRONLY | os.O_CREAT)
        try:
            for device in range(1_000_000):
                if self.stop.is_set():
                    return
                name = f"crash-{number}-{device}"
                fingerprint = self._enroll(name, context, is_patient=number % 2 == 0)
                if fingerprint:
                    os.write(journal, f"{fingerprint}\n".encode())
                    os.fsync(journal)
                    with self._lock:
                        self.answered += 1
        finally:
            os.close(journal)

    def _enroll(self, name: str, context: ssl.SSLContext, *, is_patient: bool) -> str | None:
        """Let a device come once, or until it has its certificate; return the SHA-256 of that."""
        key = ec.generate_private_key(ec.SECP256R1())
        body = base64.b64encode(make_csr(name, key=key))
        give_up = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < give_up:
            try:
                status, reply = self.post(body, context)
            except (OSError, http.client.HTTPException):
                with self._lock:
                    self.lost_connections += 1
                time.sleep(0.3)  # as often as not, no server is there
                if is_patient:
                    continue
                return None
            if status == 503:  # too busy just now; told to come back
                time.sleep(0.2)
                continue
            if status != 200:
                self.errors.append(f"{name}: {status} {reply!r}")
                return None
            (certificate,) = pkcs7.load_der_pkcs7_certificates(base64.b64decode(reply))
            if certificate.public_key() != key.public_key():
                self.errors.append(f"{name}: somebody else's certificate")
            return certificate.fingerprint(SHA256()).hex()
        self.errors.append(f"{name}: nobody answers")
        return None

    def post(self, body: bytes, context: ssl.SSLContext) -> tuple[int, bytes]:
        """Enroll on a connection of its own."""
        connection = http.client.HTTPSConnection(
            "localhost", self.installation.port, timeout=20, context=context
        )
        try:
            connection.request(
                "POST",
                "/.well-known/est/simpleenroll",
                body,
                {"Content-Type": "application/pkcs10"},
            )
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()
