"""T21: at each named point of an enrollment the process dies, fails, or loses its database.

Afterwards nothing that was answered is lost, everything signed has an intent, and the same
request again gets exactly one certificate.
"""

import base64
import signal
from datetime import timedelta

import pytest
from apig_wsgi import make_lambda_handler
from django.core.handlers.wsgi import WSGIHandler
from django.db import close_old_connections

from estserver.enrollment.hooks import load_hook
from estserver.enrollment.pending import run_pending_hooks
from estserver.models import PendingHook
from pki.models import IssuedCertificate
from pki.record.intents import settle_intents
from tests.pki.state import faults
from tests.pki.state.child import child_process
from tests.pki.state.faults import POINTS, Crash, losable_database, trap
from tests.pki.state.invariants import check_invariants, check_on_record, check_signed
from tests.support.builders import make_csr, make_key
from tests.support.transports import response_of

State = IssuedCertificate.State
NO_AGE = timedelta()


@pytest.fixture
def hooked(device, settings):
    """The device, with a post hook installed."""
    settings.EST_ENROLLMENT_HOOK_CLASS = "tests.pki.state.faults.TrappedHook"
    yield device
    load_hook.cache_clear()


def enroll_event(device, csr):
    return device.event(
        "POST",
        device.url("simpleenroll"),
        base64.encodebytes(csr),
        {"Content-Type": "application/pkcs10"},
    )


def send(device, csr):
    """Enroll through a server that may crash; returns the reply, or None when it did."""
    handler = make_lambda_handler(faults.watched_response(WSGIHandler()), binary_support=True)
    try:
        return response_of(handler(enroll_event(device, csr), None))
    except Crash:
        return None


def check_aftermath(device, csr, reply, signed):
    """What must hold after the fault, whatever it was."""
    answered = [reply.certificate] if reply is not None and reply.status_code == 200 else []
    assert reply is None or reply.status_code in (200, 500, 503)
    check_on_record(answered)
    check_signed(signed)
    check_invariants()

    certificate = device.simpleenroll(csr).certificate

    assert answered in ([], [certificate])
    check_on_record([certificate])
    settle_intents(older_than=NO_AGE)
    rows = IssuedCertificate.objects.for_name("sensor-1")
    assert [row.to_x509() for row in rows.exclude(state=State.VOID)] == [certificate]
    check_invariants()
    PendingHook.objects.update(next_attempt_at=rows.get(state=State.ISSUED).issued_at)
    run_pending_hooks()
    assert not PendingHook.objects.exists()


@pytest.mark.parametrize("point", POINTS)
def test_T21_exception(hooked, signer, point):
    csr = make_csr("sensor-1")

    with trap(point, faults.crash) as sprung:
        reply = send(hooked, csr)

    assert sprung.sprung
    check_aftermath(hooked, csr, reply, signer.signed)


@pytest.mark.parametrize("point", POINTS)
def test_T21_kill_9(hooked, signer, data_dir, point):
    csr = make_csr("sensor-1")

    with child_process(data_dir) as child:
        answer = child.ask(enroll_event(hooked, csr), die_at=point)
        assert child.returncode() == -signal.SIGKILL

    assert answer is None
    check_aftermath(hooked, csr, None, [])


@pytest.mark.parametrize("point", POINTS)
def test_T21_database_lost(hooked, signer, point):
    csr = make_csr("sensor-1")

    with losable_database() as lose, trap(point, lose) as sprung:
        reply = send(hooked, csr)
    close_old_connections()  # as the next request does

    assert sprung.sprung
    assert reply is not None
    was_issued = point in ("after-issued", "during-response", "post-hook")
    assert reply.status_code == (200 if was_issued else 503), reply.text
    check_aftermath(hooked, csr, reply, signer.signed)


def test_T21_point_after_which_the_intent_stays(hooked, signer):
    """The points are where they say they are."""
    states = {}
    for number, point in enumerate(POINTS):
        name = f"sensor-{number}"
        with trap(point, faults.crash):
            send(hooked, make_csr(name, key=make_key(index=number)))
        row = IssuedCertificate.objects.for_name(name).first()
        states[point] = row.state if row else None

    assert states == {
        "before-intent": None,
        "after-intent": State.INTENT,
        "during-signature": State.INTENT,
        "after-signature": State.INTENT,
        "before-issued": State.INTENT,
        "after-issued": State.ISSUED,
        "during-response": State.ISSUED,
        "post-hook": State.ISSUED,
    }
