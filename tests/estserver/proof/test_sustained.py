"""A server at its full rate for minutes: no 5xx, flat memory, no file that stays open (T29)."""

import base64
import time
from collections import Counter

from bench import load
from tests.estserver.proof.gauges import Gauges
from tests.estserver.proof.sizes import sizes

CLIENTS = 8
SLICE = 240
"""Enrollments between two looks at the server; beside them some `/cacerts`, and some refusals."""
FEW = SLICE // 8
THREADS = 8
"""Of the server. Each has a connection to the database, when it is first needed."""
PAGES = 16 * 1024 * 1024
"""Bytes of SQLite's pages that a connection keeps (``cache_size``)."""
MOST_GROWTH = THREADS * PAGES + 4 * 1024 * 1024
"""Bytes that memory may have grown by, from the first slice on: pages, and a little."""
MOST_FILES = THREADS * 3
"""Files that threads open later than others: of each a database, its WAL and its shared memory."""
REST_SECONDS = 7
"""After which kept connections are closed, so that the files of a server at rest can be counted."""


class Slices:
    """Load, a slice at a time, and what was answered."""

    def __init__(self, installation):
        self.installation = installation
        self.statuses = Counter()
        self.seconds = 0.0
        self.enrolled = 0
        self._number = 0

    def send(self):
        """Send a slice."""
        self._number += 1
        names = [f"sustained-{self._number}-{n}" for n in range(SLICE)]
        csrs = [load.make_csr(name, "p256") for name in names]
        enrolled = self._run("simpleenroll", csrs)
        self.enrolled += enrolled.requests
        self.seconds += enrolled.seconds
        self._run("cacerts", [None] * FEW)
        self._run("simpleenroll", [_broken(csr) for csr in csrs[:FEW]])
        return enrolled

    def _run(self, operation, bodies):
        certificate, key = self.installation.test_client
        target = load.Target(
            host="127.0.0.1",
            port=self.installation.port,
            path=f"/.well-known/est/{operation}",
            server_ca=self.installation.server_ca,
            client=certificate,
            client_key=key,
            tls=None,
            timeout=30,
        )
        report = load.run(target, bodies, concurrency=CLIENTS, seconds=300)
        self.statuses["2xx"] += report.requests
        self.statuses.update(report.errors)
        return report


def _broken(csr):
    """A CSR whose signature is not the key's."""
    der = bytearray(base64.b64decode(csr))
    der[-1] ^= 1
    return base64.b64encode(der)


def files_at_rest(gauges):
    time.sleep(REST_SECONDS)
    return gauges.look(0).files


@sizes("EST_PROOF_SECONDS", small=15, whole=600, name="seconds")
def test_T29_ten_minutes_of_load_leave_memory_flat_and_no_file_open(served, seconds):
    slices = Slices(served.installation)
    slices.send()  # threads and their connections to the database are made now
    files = files_at_rest(Gauges(served.workers))

    gauges, p99 = Gauges(served.workers), []
    until = time.monotonic() + seconds
    while time.monotonic() < until or len(gauges.samples) < 4:
        p99.append(slices.send().p99)
        gauges.look(slices.enrolled)

    refused = slices.statuses.pop("status 400")
    assert {*slices.statuses} == {"2xx"}, slices.statuses
    assert refused == FEW * (len(p99) + 1)
    grown = gauges.grown(warm_up=0)
    assert grown < MOST_GROWTH
    more_files = files_at_rest(Gauges(served.workers)) - files
    assert more_files <= MOST_FILES
    print(  # noqa: T201  # the figures, for whoever runs it with -s
        f"{seconds} s: {slices.enrolled} enrolled, {refused} refused, 0 x 5xx; "
        f"{slices.enrolled / slices.seconds:.0f} enrollments a second; p99 of a slice "
        f"{min(p99):.0f} to {max(p99):.0f} ms; memory grew by {grown / 2**20:.1f} MiB, "
        f"{grown / slices.enrolled:.0f} bytes an enrollment; {files} files open at rest before, "
        f"{more_files} more after"
    )
