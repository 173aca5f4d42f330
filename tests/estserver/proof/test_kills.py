"""What a client was given outlives kill -9 of whoever gave it (T21, I1, I3).

The processes die, not the machine: a power cut needs `synchronous=FULL`, which is set, and a disk
that keeps its word, which no test here can show.
"""

import os
import random
import signal
import threading
import time
from contextlib import ExitStack, suppress

import pytest

from tests.estserver.proof.enrolling import Fleet
from tests.estserver.proof.installed import installation_at
from tests.estserver.proof.sizes import seed, sizes
from tests.interop.server import RunningServer
from tests.support.postgresql import private_server

DEVICES = 6
"""Connections at a time."""
ANSWERS_PER_KILL = {"sqlite": 50, "postgresql": 20}
SECONDS_PER_KILL = 60  # at the most
KILLS_OF_ALL = 25
"""Of so many kills, one is of the master and all workers, which ends `runest`."""
RESTART_SECONDS = 60

AUDIT = """
    import datetime
    from collections import Counter
    from pki.record import audit_trail
    from pki.record.intents import settle_intents
    from pki.models import IssuedCertificate

    rows = IssuedCertificate.objects
    left_over = rows.filter(state="intent").count()
    voided = settle_intents(older_than=datetime.timedelta(0))
    signed = rows.exclude(fingerprint_sha256=None)
    checked, broken = audit_trail.verify()
    answer = {
        "states": dict(signed.values_list("fingerprint_sha256", "state")),
        "left over": left_over,
        "voided": voided,
        "intents": rows.filter(state="intent").count(),
        "most rows of one issuer and serial": max(
            Counter(rows.values_list("ca_id", "serial_number")).values()
        ),
        "most certificates of one key": max(
            Counter(signed.values_list("key_sha256", flat=True)).values()
        ),
        "audited": checked,
        "broken": broken and broken.what,
    }
"""


class Killer:
    """Kills processes of a server that devices enroll at, and starts it again."""

    def __init__(self, fleet: Fleet, dice: random.Random) -> None:
        self.fleet, self.dice = fleet, dice
        self.running = self._start()

    def _start(self) -> RunningServer:
        return RunningServer(self.fleet.installation, "--workers=2")

    def kill(self, times: int, *, answers: int) -> None:
        """Kill so many times, with about so many answered certificates between two."""
        for number in range(1, times + 1):
            # Step 1: let devices enroll. Sometimes it is too short for a worker to come up.
            enough = self.fleet.answered + self.dice.randint(0, 2 * answers)
            self._await(lambda enough=enough: self.fleet.answered >= enough, SECONDS_PER_KILL)
            # Step 2: kill.
            if number % KILLS_OF_ALL == 0 or number == times:
                self._kill_whole_est_side()
            else:
                self._kill_a_worker()
        # Step 3: whoever was not answered is, after the last restart.
        before = self.fleet.answered
        self._await(lambda: self.fleet.answered > before + DEVICES, RESTART_SECONDS)

    def _kill_a_worker(self) -> None:
        give_up = time.monotonic() + RESTART_SECONDS
        while time.monotonic() < give_up:
            _, workers = self.running.est_processes()
            with suppress(ProcessLookupError, IndexError):  # one ended, or none is up yet
                os.kill(self.dice.choice(workers), signal.SIGKILL)
                return
            time.sleep(0.01)
        pytest.fail(f"no worker comes up:\n{self.running.log.read_text()[-5000:]}")

    def _kill_whole_est_side(self) -> None:
        """Kill master and workers at once; the supervisor stops the rest and exits with 1."""
        master, workers = self.running.est_processes()
        for pid in (master, *workers):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert self.running.process.wait(timeout=RESTART_SECONDS) == 1
        self.running = self._start()

    def _await(self, is_so, seconds: float) -> None:
        give_up = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > give_up:
                pytest.fail(f"no answers:\n{self.running.log.read_text()[-5000:]}")
            time.sleep(0.02)


def kill_and_audit(fleet, kills, *, answers, seed_now):
    """Enroll and kill; return what is on record afterwards."""
    killer = Killer(fleet, random.Random(seed_now))
    threads = [
        threading.Thread(target=fleet.enroll_all, args=(number,)) for number in range(DEVICES)
    ]
    for thread in threads:
        thread.start()
    try:
        killer.kill(kills, answers=answers)
    finally:
        fleet.stop.set()
        for thread in threads:
            thread.join()
        assert killer.running.stop() == 0
    return fleet.installation.ask(AUDIT)


def check(fleet, found):
    """Assert that what devices hold is on record, once."""
    assert fleet.errors == []
    assert fleet.lost_connections > 0, "no kill hit anything"
    received = fleet.received()
    live = {"issued", "superseded"}
    missing = {name for name in received if found["states"].get(name) not in live}
    assert not missing, f"{len(missing)} of {len(received)} certificates are not on record"
    assert len(received) == len({*received}) == fleet.answered
    assert found["most rows of one issuer and serial"] == 1
    assert found["most certificates of one key"] == 1
    assert (found["broken"], found["audited"] > 2 * len(received)) == (None, True)
    assert (found["intents"], found["voided"]) == (0, found["left over"])


def figures(fleet, found, kills, seed_now):
    return (
        f"{kills} kills with seed {seed_now}, {fleet.answered} certificates answered, 0 missing, "
        f"0 doubled; {fleet.lost_connections} connections lost, {found['voided']} intents voided"
    )


@sizes("EST_PROOF_KILLS", small=12, whole=1000, name="kills")
def test_T21_certificates_that_were_answered_survive_kill_9(tmp_path, kills):
    seed_now = seed()
    fleet = Fleet(installation_at(tmp_path), tmp_path)

    found = kill_and_audit(fleet, kills, answers=ANSWERS_PER_KILL["sqlite"], seed_now=seed_now)

    check(fleet, found)
    print(figures(fleet, found, kills, seed_now))  # noqa: T201  # for whoever runs it with -s


@pytest.mark.postgresql
@sizes("EST_PROOF_KILLS_POSTGRESQL", small=4, whole=200, name="kills")
def test_T21_certificates_that_were_answered_survive_kill_9_on_postgresql(tmp_path, kills):
    seed_now = seed()
    with ExitStack() as stack:
        server = stack.enter_context(private_server())
        server.execute("CREATE DATABASE proof")
        fleet = Fleet(installation_at(tmp_path, server.url("proof")), tmp_path)

        found = kill_and_audit(
            fleet, kills, answers=ANSWERS_PER_KILL["postgresql"], seed_now=seed_now
        )

    check(fleet, found)
    print(figures(fleet, found, kills, seed_now))  # noqa: T201  # for whoever runs it with -s
