"""What a client was given outlives kill -9 of whoever gave it (T21, I1, I3).

The processes die, not the machine: a power cut needs `synchronous=FULL`, which is set, and a disk
that keeps its word, which no test here can show.
"""

import base64
import http.client
import os
import random
import signal
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import pkcs7

from tests.interop.server import Installation, RunningServer
from tests.support.builders import make_csr

KILLS = int(os.environ.get("CRASH_KILLS", "25"))  # 25 in CI; 1,000 before a release
SECONDS_PER_KILL = 5  # at the most

pytestmark = [pytest.mark.interop, pytest.mark.timeout(180 + KILLS * SECONDS_PER_KILL)]

CONNECTIONS = 6
LULL = 0.1, 0.9  # seconds between two kills: sometimes too short for a worker to come up
RESTART_SECONDS = 30
SEED = 20

AUDIT = """
    import datetime
    from collections import Counter
    from pki.record import audit_trail
    from pki.record.intents import settle_intents
    from pki.models import IssuedCertificate

    rows = IssuedCertificate.objects
    left_over = rows.filter(state="intent").count()
    voided = settle_intents(older_than=datetime.timedelta(0))
    twins = Counter(rows.values_list("ca_id", "serial_number")).values()
    checked, broken = audit_trail.verify()
    answer = {
        "states": dict(
            rows.exclude(fingerprint_sha256=None).values_list("fingerprint_sha256", "state")
        ),
        "left over": left_over,
        "voided": voided,
        "intents": rows.filter(state="intent").count(),
        "most rows of one issuer and serial": max(twins),
        "audited": checked,
        "broken": broken and broken.what,
    }
"""


@dataclass
class Fleet:
    """Devices that enroll one after the other on a few connections, whatever happens."""

    installation: Installation
    stop: threading.Event = field(default_factory=threading.Event)
    received: dict[str, x509.Certificate] = field(default_factory=dict)
    """By SHA-256: what devices hold in their hands."""
    lost_connections: int = 0
    errors: list[str] = field(default_factory=list)

    def context(self) -> ssl.SSLContext:
        """TLS as the bootstrap client."""
        context = ssl.create_default_context(cafile=str(self.installation.server_ca))
        context.load_cert_chain(*self.installation.test_client)
        return context

    def enroll_all(self, number: int) -> None:
        """One connection's devices, until told to stop.

        Every other connection's devices send the same CSR again after a broken connection, as most
        do; the others' are never heard of again, and leave intents behind.
        """
        context = self.context()
        for device in range(1_000_000):
            if self.stop.is_set():
                return
            self.enroll(f"crash-{number}-{device}", context, is_patient=number % 2 == 0)

    def enroll(self, name: str, context: ssl.SSLContext, *, is_patient: bool) -> None:
        """One device, which comes once or until it has its certificate."""
        key = ec.generate_private_key(ec.SECP256R1())
        body = base64.b64encode(make_csr(name, key=key))
        give_up = time.monotonic() + RESTART_SECONDS
        while time.monotonic() < give_up:
            try:
                status, reply = self.post(body, context)
            except (OSError, http.client.HTTPException):
                self.lost_connections += 1
                time.sleep(0.05)
                if is_patient:
                    continue
                return
            if status == 503:  # too busy just now; told to come back
                time.sleep(0.2)
                continue
            if status != 200:
                self.errors.append(f"{name}: {status} {reply!r}")
                return
            (certificate,) = pkcs7.load_der_pkcs7_certificates(base64.b64decode(reply))
            if certificate.public_key() != key.public_key():
                self.errors.append(f"{name}: somebody else's certificate")
            self.received[certificate.fingerprint(SHA256()).hex()] = certificate
            return
        self.errors.append(f"{name}: nobody answers")

    def post(self, body: bytes, context: ssl.SSLContext) -> tuple[int, bytes]:
        """One enrollment on a connection of its own."""
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


def kill_workers(running: RunningServer, times: int) -> int:
    """Kill a worker of the EST side, again and again; returns how many died of it."""
    dice = random.Random(SEED)
    killed = 0
    give_up = time.monotonic() + times * SECONDS_PER_KILL
    while killed < times and time.monotonic() < give_up:
        time.sleep(dice.uniform(*LULL))
        _, workers = running.est_processes()
        if workers:
            with suppress(ProcessLookupError):  # it ended by itself
                os.kill(dice.choice(workers), signal.SIGKILL)
                killed += 1
    return killed


def kill_whole_est_side(running: RunningServer) -> None:
    """Kill master and workers at once; the supervisor then stops the rest and exits with 1."""
    master, workers = running.est_processes()
    for pid in (master, *workers):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert running.process.wait(timeout=60) == 1


def test_T21_certificates_that_were_answered_survive_kill_9(tmp_path):
    installation = Installation.at(tmp_path)
    installation.quickstart()
    running = RunningServer(installation, "--workers=2")
    fleet = Fleet(installation)
    threads = [
        threading.Thread(target=fleet.enroll_all, args=(number,)) for number in range(CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    try:
        killed = kill_workers(running, KILLS)
        kill_whole_est_side(running)
        before = len(fleet.received)
        running = RunningServer(installation, "--workers=2")
        give_up = time.monotonic() + RESTART_SECONDS
        while len(fleet.received) <= before + CONNECTIONS and time.monotonic() < give_up:
            time.sleep(0.1)
        restarted = len(fleet.received) > before + CONNECTIONS
    finally:
        fleet.stop.set()
        for thread in threads:
            thread.join()
        stopped = running.stop()

    found = installation.ask(AUDIT)

    assert (killed, restarted, stopped, fleet.errors) == (KILLS, True, 0, [])
    assert fleet.lost_connections > 0, "no kill hit anything"
    live = {"issued", "superseded"}
    missing = {name for name in fleet.received if found["states"].get(name) not in live}
    assert not missing, f"{len(missing)} of {len(fleet.received)} certificates aren't on record"
    assert found["most rows of one issuer and serial"] == 1
    assert (found["broken"], found["audited"] > 2 * len(fleet.received)) == (None, True)
    assert (found["intents"], found["voided"]) == (0, found["left over"])
    print(  # noqa: T201  # the figures, for whoever runs it with -s
        f"{len(fleet.received)} certificates answered through {killed} kills, none missing; "
        f"{fleet.lost_connections} connections lost, {found['voided']} intents voided"
    )
