"""The counts of refusals, when a real server is stopped."""

import base64

import pytest

from tests.estserver.proof.enrolling import Fleet
from tests.interop.server import Installation, RunningServer
from tests.support.builders import make_csr

pytestmark = [pytest.mark.interop, pytest.mark.timeout(180)]

TIMES = 12


def test_T49_the_counts_are_on_the_trail_after_the_server_was_stopped(tmp_path):
    installation = Installation.at(tmp_path)
    installation.quickstart()
    installation.deny("sensor-1")
    running = RunningServer(installation)
    fleet = Fleet(installation, tmp_path)
    context = fleet.context()
    body = base64.b64encode(make_csr("sensor-1"))
    try:
        answers = [fleet.post(body, context)[0] for _ in range(TIMES)]
    finally:
        code = running.stop()

    rows = installation.ask("""
        from pki.models import AuditEvent
        from pki.record import audit_trail
        refusals = AuditEvent.objects.filter(action__startswith="refuse-")
        answer = [
            sorted([event.action, (event.after or {}).get("count", 1)] for event in refusals),
            audit_trail.verify()[1] is None,
        ]
    """)
    log = running.log.read_text()
    assert (code, set(answers)) == (0, {403}), log
    counts, holds = rows
    assert holds
    # Each worker process has its own counts.
    assert sum(count for _, count in counts) == TIMES, log
    assert len(counts) < TIMES
    assert log.count('"reason": "device-denied"') == TIMES
