"""Mutated CSRs get a certificate or a refusal: in process, and over HTTP (T09).

EST_PROOF_SEED repeats the mutations. Keys are new in each run, so the file that a failure names has
the exact bytes.
"""

import http.client
import json
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from pki.csr.check import CSRRules
from tests.estserver.proof import csr_child
from tests.estserver.proof.csr_child import PLACE_BYTES, input_in, mutation
from tests.estserver.proof.gauges import Gauges
from tests.estserver.proof.mutations import kept
from tests.estserver.proof.sizes import seed, sizes
from tests.interop.server import ROOT

MOST_GROWTH = 8 * 1024 * 1024
"""Bytes by which memory may have grown after the warm-up, for any number of CSRs."""
MOST_SERVER_GROWTH = 16 * 1024 * 1024
CHILDREN = 2
THREADS = 8
CHUNK = 400


def child(seed_now, numbers, place):
    """Start a process that judges the mutations with these numbers."""
    place.write_bytes(bytes(PLACE_BYTES))
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.estserver.proof.csr_child"),
            *map(str, (seed_now, numbers.start, len(numbers), place)),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@sizes("EST_PROOF_CSRS", small=20_000, whole=1_000_000)
def test_T09_no_mutated_csr_raises_anything_but_a_refusal(tmp_path, size):
    seed_now = seed()
    share = size // CHILDREN
    places = [tmp_path / f"csr-{number}.bin" for number in range(CHILDREN)]
    running = [
        child(seed_now, range(number * share, (number + 1) * share), place)
        for number, place in enumerate(places)
    ]

    answers, growth = Counter(), []
    for process, place in zip(running, places, strict=True):
        printed, errors = process.communicate()
        file = kept(f"{place.stem}-last.b64", input_in(place.read_bytes()))
        assert process.returncode == 0, f"crashed at {file} (EST_PROOF_SEED={seed_now}): {errors}"
        found = json.loads(printed)
        assert found["failed"] is None, f"{found['failed']}: {file} (EST_PROOF_SEED={seed_now})"
        assert found["grown"] < MOST_GROWTH
        answers.update(found["answers"])
        growth.append(found["growth"])

    assert answers.total() == CHILDREN * share
    assert {"taken", "csr-malformed", "proof-of-possession-failed"} <= {*answers}, answers
    assert len(answers) > 8, answers
    counts = ", ".join(f"{count} x {reason}" for reason, count in answers.most_common())
    print(  # noqa: T201  # the figures, for whoever runs it with -s
        f"{size} mutated CSRs with seed {seed_now}: {counts}; memory grew by "
        f"{max(growth):.1f} bytes a CSR"
    )


def test_an_input_that_fails_is_named(monkeypatch):
    """The search itself: an exception that is no refusal stops it, and its input is kept."""

    def raises_at_the_third(body, rules):
        if body == b"body 3":
            raise IndexError("not a refusal")
        return "taken"

    def bodies(seed, number):
        return f"body {number}".encode(), CSRRules()

    monkeypatch.setattr(csr_child, "answer_to", raises_at_the_third)
    monkeypatch.setattr(csr_child, "mutation", bodies)
    place = bytearray(PLACE_BYTES)

    found = csr_child.judge_all(5, range(9), place)

    assert found["failed"] == [3, "IndexError: not a refusal"]
    assert found["answers"] == {"taken": 3}
    assert csr_child.input_in(bytes(place)) == b"body 3"


@sizes("EST_PROOF_POSTED_CSRS", small=800, whole=50_000)
def test_T09_no_posted_csr_gets_a_5xx(served, contexts, size):
    seed_now = seed()
    gauges = Gauges(served.workers)
    statuses = Counter()

    def post_share(numbers):
        connection = http.client.HTTPSConnection(
            "localhost", served.port, timeout=30, context=contexts["client"]
        )
        failures = []
        for number in numbers:
            body, _ = mutation(seed_now, number)
            operation = ("simpleenroll", "simplereenroll")[number % 2]
            headers = {"Content-Type": "application/pkcs10"}
            connection.request("POST", f"/.well-known/est/{operation}", body, headers)
            response = connection.getresponse()
            text = response.read()
            statuses[response.status] += 1
            if response.status >= 500:
                file = kept(f"csr-{number}.b64", body)
                failures.append(f"{response.status} {text!r} for {file}")
        connection.close()
        return failures

    with ThreadPoolExecutor(THREADS) as pool:
        for first in range(0, size, CHUNK):
            chunk = range(first, first + CHUNK)
            shares = [chunk[start::THREADS] for start in range(THREADS)]
            failures = [each for some in pool.map(post_share, shares) for each in some]
            assert failures == [], f"EST_PROOF_SEED={seed_now}"
            gauges.look(first + CHUNK)

    assert {200, 400} <= {*statuses}, statuses
    assert gauges.grown() < MOST_SERVER_GROWTH
    print(  # noqa: T201  # the figures, for whoever runs it with -s
        f"{size} posted CSRs with seed {seed_now}: {dict(statuses)}; memory grew by "
        f"{gauges.growth():.0f} bytes a request"
    )
