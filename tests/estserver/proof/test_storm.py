"""Many devices at once: each gets a certificate, or is told when to come again for it (T29)."""

import heapq
import threading
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import pytest

from bench import load
from tests.estserver.proof.client import ask
from tests.estserver.proof.sizes import WHOLE_SECONDS, sizes

ADDRESSES = 50
"""Loopback addresses that the devices come from."""
LONGEST_RETRY = 120
"""Seconds: no device is told to stay away for longer."""
RECOVERY_SECONDS = 5
PROBES = 60
"""Requests of a look at the latency, from eight clients."""


class Storm:
    """Devices, of which some have a connection open at a time, until each has its certificate."""

    def __init__(self, port, context, requests):
        self.port, self.context = port, context
        self.statuses = Counter()
        self.failures = []
        self.lost = 0
        """Connections that ended without an answer. The device comes again."""
        self._due = [(0.0, number, request) for number, request in enumerate(requests)]
        self._left = len(requests)
        self._lock = threading.Lock()

    def run(self, open_at_a_time):
        """Let all devices come."""
        threads = [threading.Thread(target=self._serve) for _ in range(open_at_a_time)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _serve(self):
        while (device := self._next()) is not False:
            if device is None:
                time.sleep(0.2)
                continue
            _, number, request = device
            source = f"127.0.1.{1 + number % ADDRESSES}"
            try:
                reply = ask(self.context, self.port, request, source=source)
            except OSError:
                self._lose(device)
                continue
            if reply.status is None:
                self._lose(device)
            else:
                self._judge(device, reply)

    def _lose(self, device):
        _, number, request = device
        with self._lock:
            self.lost += 1
            heapq.heappush(self._due, (time.monotonic() + 1, number, request))

    def _next(self):
        """The next device that is due, ``None`` if none is yet, and False if none is left."""
        with self._lock:
            if not self._left:
                return False
            if not self._due or self._due[0][0] > time.monotonic():
                return None
            return heapq.heappop(self._due)

    def _judge(self, device, reply):
        _, number, request = device
        with self._lock:
            self.statuses[reply.status] += 1
        if reply.status == 200:
            self._done(number)
        elif reply.status in (429, 503):
            seconds = int(reply.header("Retry-After") or 0)
            if not 0 < seconds <= LONGEST_RETRY:
                self._done(number, f"{reply.status} with Retry-After {seconds}")
                return
            with self._lock:
                heapq.heappush(self._due, (time.monotonic() + seconds, number, request))
        else:
            self._done(number, f"{reply.status} {reply.body[:200]!r}")

    def _done(self, number, failure=""):
        with self._lock:
            self._left -= 1
            if failure:
                self.failures.append(f"device {number}: {failure}")


def target_of(installation):
    certificate, key = installation.test_client
    return load.Target(
        host="127.0.0.1",
        port=installation.port,
        path="/.well-known/est/simpleenroll",
        server_ca=installation.server_ca,
        client=certificate,
        client_key=key,
        tls=None,
        timeout=30,
    )


def csrs_of(run, count):
    """CSRs with keys of their own, made by all cores."""
    names = [f"{run}-{number}" for number in range(count)]
    with ProcessPoolExecutor() as pool:
        return list(pool.map(partial(load.make_csr, algorithm="p256"), names, chunksize=50))


def p99_of(target, run):
    """Milliseconds, of a few enrollments from eight clients."""
    report = load.run(target, csrs_of(run, PROBES), concurrency=8)
    assert report.failed == 0, report.errors
    return report.p99


def storm_at(served, contexts, devices, open_at_a_time, name):
    target = target_of(served.installation)
    requests = [target.request(csr) for csr in csrs_of(name, devices)]
    storm = Storm(served.port, contexts["client"], requests)
    before = p99_of(target, f"{name}-before")
    began = time.monotonic()
    storm.run(open_at_a_time)
    ended = time.monotonic()
    after, number = p99_of(target, f"{name}-after-0"), 0
    while after > 2 * before and time.monotonic() < ended + 60:
        number += 1
        after = p99_of(target, f"{name}-after-{number}")
    recovery = time.monotonic() - ended if number else 0.0
    print(  # noqa: T201  # the figures, for whoever runs it with -s
        f"{devices} devices, {open_at_a_time} open at a time, in {ended - began:.0f} s: "
        f"{dict(storm.statuses)}, {storm.lost} connections lost; p99 {before:.0f} ms before "
        f"and {after:.0f} ms after, {recovery:.1f} s after the last device"
    )
    return storm, recovery


@sizes("EST_PROOF_DEVICES", small=300, whole=10_000, name="devices")
def test_T29_each_of_many_devices_at_once_gets_its_certificate(served, contexts, devices, request):
    storm, recovery = storm_at(served, contexts, devices, 200, "storm")

    assert storm.failures == []
    assert storm.statuses[200] == devices
    if "whole" in request.node.callspec.id:  # on a busy machine, some handshakes take too long
        assert storm.lost == 0
        assert recovery < RECOVERY_SECONDS


@pytest.mark.proof
@pytest.mark.timeout(WHOLE_SECONDS)
def test_T29_more_devices_than_may_wait_are_told_when_to_come_again(served, contexts):
    """1,024 requests may wait for a thread, so of 1,500 at once some are refused at first."""
    storm, recovery = storm_at(served, contexts, 3000, 1500, "flood")

    assert (storm.failures, storm.lost) == ([], 0)
    assert storm.statuses[200] == 3000
    assert storm.statuses[503] > 0
    assert recovery < RECOVERY_SECONDS
