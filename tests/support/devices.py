"""Devices that enroll one after the other over fresh mutual TLS, and remember what they got."""

import base64
import http.client
import itertools
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import pkcs7

from tests.interop.server import Installation
from tests.support.builders import make_csr

PATH = "/.well-known/est/"
TIMEOUT = 40
"""Seconds that a device waits for a part of an answer: more than any answer may take."""


@dataclass
class Devices:
    """What devices got that enrolled with the test client of ``installation``, each trying once."""

    installation: Installation
    port: int
    source: str = "127.0.0.1"
    """The address that they connect from."""
    pause: float = 0.0
    """Seconds that a thread waits after a device."""
    answered: dict[str, str] = field(default_factory=dict)
    """Thing names by the SHA-256 of the certificate."""
    refused: Counter[tuple[int, bool]] = field(default_factory=Counter)
    """Answers by status, and whether they say when to come again."""
    broken: list[str] = field(default_factory=list)
    """What went wrong for those that got no whole answer."""
    slowest: float = 0.0
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def enrolling(self, threads: int = 4) -> Iterator[None]:
        """Enroll devices in so many threads until the end of the block."""
        working = [
            threading.Thread(target=self._enroll_all, args=(f"device-{time.time_ns()}-{number}",))
            for number in range(threads)
        ]
        for thread in working:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in working:
                thread.join()
            self._stop.clear()

    def enroll(self, name: str, context: ssl.SSLContext) -> None:
        """Let one device enroll, once."""
        key = ec.generate_private_key(ec.SECP256R1())
        body = base64.b64encode(make_csr(name, key=key))
        began = time.monotonic()
        try:
            answer, reply = self._post(body, context)
        except (OSError, http.client.HTTPException) as error:
            self.broken.append(f"{name}: {type(error).__name__}: {error}")
            return
        finally:
            self.slowest = max(self.slowest, time.monotonic() - began)
        if answer.status != 200:
            self.refused[answer.status, answer.headers["Retry-After"] is not None] += 1
            return
        (certificate,) = pkcs7.load_der_pkcs7_certificates(base64.b64decode(reply))
        if certificate.public_key() != key.public_key():
            self.broken.append(f"{name}: the certificate has another key")
        self.answered[certificate.fingerprint(SHA256()).hex()] = name

    def context(self) -> ssl.SSLContext:
        """Return the TLS settings of the test client."""
        context = ssl.create_default_context(cafile=str(self.installation.server_ca))
        context.load_cert_chain(*self.installation.test_client)
        return context

    def wait_for_more(self, count: int, *, seconds: float = 30) -> None:
        """Wait until so many more devices have a certificate."""
        wanted = len(self.answered) + count
        give_up = time.monotonic() + seconds
        while len(self.answered) < wanted:
            assert time.monotonic() < give_up, (len(self.answered), self.refused, self.broken[-3:])
            time.sleep(0.05)

    def wait_for_refusal(self, *, seconds: float = 120) -> None:
        """Wait until a device was refused."""
        give_up = time.monotonic() + seconds
        while not self.refused:
            assert time.monotonic() < give_up, (len(self.answered), self.broken[-3:])
            time.sleep(0.05)

    def lost(self) -> set[str]:
        """Return the names of devices that have a certificate which is not on record."""
        on_record = self.installation.ask("""
            from pki.models import IssuedCertificate
            live = IssuedCertificate.objects.filter(state__in=["issued", "superseded"])
            answer = list(live.values_list("fingerprint_sha256", flat=True))
        """)
        return {name for digest, name in self.answered.items() if digest not in set(on_record)}

    def _enroll_all(self, prefix: str) -> None:
        context = self.context()
        for number in itertools.count():
            if self._stop.is_set():
                return
            self.enroll(f"{prefix}-{number}", context)
            time.sleep(self.pause)

    def _post(self, body: bytes, context: ssl.SSLContext) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPSConnection(
            *("127.0.0.1", self.port),
            timeout=TIMEOUT,
            context=context,
            source_address=(self.source, 0),
        )
        try:
            connection.request(
                "POST", f"{PATH}simpleenroll", body, {"Content-Type": "application/pkcs10"}
            )
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()
