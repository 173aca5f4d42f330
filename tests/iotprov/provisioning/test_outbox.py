"""The outbox: when to try again, when to give up, what an operator sees and does."""

from datetime import timedelta

import pytest
from botocore.stub import Stubber
from django.core.management import CommandError, call_command

from iotprov.conf import IoTTarget
from iotprov.models import Provisioning
from iotprov.provisioning import attempt, leases
from iotprov.provisioning.backlog import backlogs
from iotprov.provisioning.iot_certificates import Registry, RemoteCertificate, RemoteThing
from iotprov.provisioning.outbox import park, retry
from iotprov.provisioning.pacing import BURST, DEFAULT_RATE, SHARE, Breaker, Pace
from iotprov.provisioning.retry_policy import (
    MOST_ATTEMPTS,
    RetryAdvice,
    pause_before_next,
    retry_advice,
)
from iotprov.provisioning.worker import FAILURES_TO_LEAVE, drain
from pki.aws.clients import aws_client
from pki.models import AuditEvent
from pki.operators.errors import OperatorError, RemoteFailure
from tests.conftest import TESTER
from tests.iotprov.cloud import make_due, settle_all
from tests.support.aws_faults import Fault, Refusal, aws_calls, failing

HERE = IoTTarget("default")


# When to try again


@pytest.mark.parametrize(
    ("code", "flags", "prospect"),
    [
        (
            "ThrottlingException",
            {"is_transient": True, "is_throttled": True},
            RetryAdvice.THROTTLED,
        ),
        ("ReadTimeout", {"is_transient": True}, RetryAdvice.TRANSIENT),
        ("DeleteConflictException", {}, RetryAdvice.TRANSIENT),
        ("AccessDeniedException", {}, RetryAdvice.NEEDS_OPERATOR),
        ("CertificateValidationException", {}, RetryAdvice.NEEDS_OPERATOR),
        ("NoCredentials", {}, RetryAdvice.NEEDS_OPERATOR),
        ("SomethingNewException", {}, RetryAdvice.NEEDS_OPERATOR),
        ("InvalidRequestException", {}, RetryAdvice.PERMANENT),
        (
            "LimitExceededException",
            {"is_transient": True, "is_throttled": True},
            RetryAdvice.PERMANENT,
        ),
    ],
)
def test_what_a_failure_asks_for(code, flags, prospect):
    assert retry_advice(RemoteFailure("iot:Call", code, "said", "do", **flags)) is prospect


def test_pauses_double_up_to_a_limit_and_never_coincide():
    pauses = [pause_before_next(RetryAdvice.TRANSIENT, n).total_seconds() for n in range(1, 30)]

    assert 2.5 <= pauses[0] <= 5
    assert 20 <= pauses[3] <= 40
    assert max(pauses) <= 120
    assert len({pause_before_next(RetryAdvice.TRANSIENT, 9) for _ in range(20)}) > 10


def test_what_no_repetition_mends_is_parked_with_its_error(waiting):
    waiting("sensor-1")

    with failing("iot", "AttachPolicy", Refusal("InvalidRequestException")):
        for attempt in range(MOST_ATTEMPTS):
            assert Provisioning.objects.get().state == "pending", attempt
            make_due()
            drain()

    row = Provisioning.objects.get()
    assert (row.state, row.attempts, row.next_attempt_at) == ("parked", MOST_ATTEMPTS, None)
    assert row.error.startswith("iot:AttachPolicy failed with InvalidRequestException")
    assert drain().settled == 0


def test_access_denied_is_shown_and_never_parked(waiting):
    waiting("sensor-1")

    with failing("iot", "AttachPolicy", Fault.ACCESS_DENIED):
        for _ in range(MOST_ATTEMPTS * 2):
            make_due()
            drain()

    row = Provisioning.objects.get()
    assert row.state == "pending"
    assert "Allow the role or user of this process to call iot:AttachPolicy" in row.error
    assert settle_all() == 0


def test_a_throttled_attempt_does_not_count_and_slows_the_target_down(waiting):
    waiting("sensor-1")

    with failing("iot", "RegisterCertificate", Fault.THROTTLE):
        for _ in range(MOST_ATTEMPTS * 2):
            make_due()
            done = drain()

    row = Provisioning.objects.get()
    assert (row.state, row.attempts) == ("pending", 0)
    assert (done.postponed, done.throttled, done.left_targets) == (1, 1, ())


def test_a_target_that_is_down_is_left_after_a_few_rows_and_the_others_stay_due(waiting):
    waiting(*(f"sensor-{n}" for n in range(6)))

    with failing("iot", "RegisterCertificate", Fault.SERVER_ERROR) as failed:
        done = drain()

    assert failed.met == FAILURES_TO_LEAVE == done.postponed
    assert done.left_targets == ("default",)
    assert Provisioning.objects.filter(attempts=0).due().count() == 6 - FAILURES_TO_LEAVE
    drain()  # it is back
    assert Provisioning.objects.filter(state="settled").count() == 6 - FAILURES_TO_LEAVE


def test_a_bug_in_one_row_stops_neither_the_others_nor_says_what_it_quotes(waiting, monkeypatch):
    first, _ = waiting("sensor-1", "sensor-2")
    read = attempt.read_facts

    def facts(certificate_id, *args):
        if certificate_id == first.certificate_id:
            raise KeyError("something secret")
        return read(certificate_id, *args)

    monkeypatch.setattr(attempt, "read_facts", facts)
    done = drain()

    assert (done.settled, done.postponed) == (1, 1)
    first.refresh_from_db()
    assert first.error == "KeyError: see the log"


# What an operator does


def test_retry_brings_a_parked_row_back_and_is_on_the_trail(waiting, cloud):
    (row,) = waiting("sensor-1")
    park(row, actor=TESTER, reason="the device is in the lab")
    assert row.state == "parked"
    assert drain().settled == 0

    retry(row, actor=TESTER, reason="it is back")

    assert drain().settled == 1
    assert cloud.things() == ["sensor-1"]
    trail = AuditEvent.objects.filter(action__startswith="provisioning-").order_by("at")
    assert [(event.action, event.reason) for event in trail] == [
        ("provisioning-park", "the device is in the lab"),
        ("provisioning-retry", "it is back"),
    ]
    assert trail[0].target.startswith("provisioning:")


def test_parking_needs_a_reason(waiting):
    (row,) = waiting("sensor-1")

    with pytest.raises(OperatorError, match="needs a reason"):
        park(row, actor=TESTER, reason=" ")


def test_a_row_that_is_parked_while_it_is_worked_on_stays_parked(waiting):
    (row,) = waiting("sensor-1")
    job = leases.lease(row.pk)
    park(row, actor=TESTER, reason="wait")

    assert not leases.settle(job, leases.Outcome(aws_status="ACTIVE"))

    row.refresh_from_db()
    assert (row.state, row.lease, row.aws_status) == ("parked", None, "ACTIVE")


def test_the_command_says_what_was_done_and_what_is_left(waiting, capsys):
    waiting("sensor-1", "sensor-2")

    call_command("provision_pending", limit=1)
    call_command("provision_pending")

    assert capsys.readouterr().out.splitlines() == [
        "settled 1, postponed 0, parked 0; waiting: 1, parked in all: 0",
        "settled 1, postponed 0, parked 0; waiting: 0, parked in all: 0",
    ]


def test_the_command_ends_with_3_when_aws_failed(waiting, capsys):
    waiting("sensor-1")

    with (
        failing("iot", "RegisterCertificate", Fault.TIMEOUT),
        pytest.raises(CommandError, match=r"^iot:RegisterCertificate failed with ReadT") as ended,
    ):
        call_command("provision_pending")

    assert ended.value.returncode == 3
    assert "postponed 1" in capsys.readouterr().out


def test_the_command_tries_at_once_what_was_mended(waiting, cloud, capsys):
    waiting("sensor-1")
    with failing("iot", "RegisterCertificate", Fault.ACCESS_DENIED):
        drain()
    call_command("provision_pending")
    assert cloud.things() == []

    call_command("provision_pending", now=True, target="default")

    assert cloud.things() == ["sensor-1"]


def test_the_command_names_the_targets_there_are(installation):
    with pytest.raises(CommandError, match=r"There is no target 'us' in .*Choose one of default\."):
        call_command("provision_pending", target="us")


def test_the_backlog_is_shown_per_target(waiting, clock):
    waiting("sensor-1", "sensor-2")
    drain(limit=1)
    with failing("iot", "RegisterCertificate", Fault.TIMEOUT):
        drain()
    clock(hours=2)

    (backlog,) = backlogs()

    assert (backlog.target, backlog.pending, backlog.settled, backlog.parked) == (
        "default",
        1,
        1,
        0,
    )
    assert backlog.due == 1
    assert timedelta(hours=2) <= backlog.age < timedelta(hours=3)
    assert "RegisterCertificate failed with ReadTimeout" in backlog.error


# How fast


class Clock:
    """A clock that stands still until it is moved."""

    now = 100.0

    def __call__(self):
        return self.now


def test_a_second_may_be_used_up_at_once_and_then_the_pace_holds():
    clock = Clock()
    pace = Pace(clock)
    rate = DEFAULT_RATE * SHARE

    delays = [pace.delay("RegisterCertificate") for _ in range(100)]

    at_once = [delay for delay in delays if delay == 0]
    assert len(at_once) == pytest.approx(rate * BURST, abs=2)
    assert delays[-1] == pytest.approx((100 - rate) / rate, abs=0.3)
    assert pace.delay("DescribeThing") == 0  # a quota of its own


def test_a_throttle_pauses_everything_and_halves_the_pace(monkeypatch):
    monkeypatch.setattr("iotprov.provisioning.pacing._FIRST_PAUSE", 1.0)
    clock = Clock()
    pace = Pace(clock)

    pace.slow_down()

    assert 0.5 <= pace.paused_for() <= 1
    first, second = pace.delay("DescribeThing"), pace.delay("DescribeThing")
    assert first == pytest.approx(pace.paused_for())
    other = Pace(clock)
    spaces = [other.delay("X") for _ in range(50)][-1] - 50 / (DEFAULT_RATE * SHARE)
    assert spaces < 0
    assert second > first
    clock.now += 100
    assert pace.paused_for() == 0


def test_a_breaker_closes_by_itself():
    clock = Clock()
    breaker = Breaker(30, clock)

    breaker.trip("eu")

    assert breaker.is_open("eu")
    assert not breaker.is_open("us")
    clock.now += 30
    assert not breaker.is_open("eu")


def test_a_drain_that_has_no_time_leaves_all_due(waiting):
    waiting("sensor-1")

    with aws_calls() as calls:
        done = drain(seconds=0)

    assert (done.settled, calls) == (0, [])
    assert Provisioning.objects.due().count() == 1


# Pages


HELD = RemoteCertificate("a" * 64, "arn:aws:iot:eu-central-1:123456789012:cert/aa", "ACTIVE", "")


@pytest.fixture
def pages(aws_cloud):
    """Answers of AWS, checked against its own model, since moto has one page of everything."""
    with Stubber(aws_client("iot")) as stub:
        yield stub
        stub.assert_no_pending_responses()


def test_policies_are_read_to_the_last_page(pages):
    def page(*names, **more):
        return {"policies": [{"policyName": name} for name in names], **more}

    pages.add_response(
        "list_attached_policies", page("a", "b", nextMarker="m"), {"target": HELD.arn}
    )
    pages.add_response("list_attached_policies", page("c"), {"target": HELD.arn, "marker": "m"})

    assert Registry(HERE).policies_of(HELD) == ("a", "b", "c")


def test_things_are_read_to_the_last_page_and_exclusive_ones_stay_so(pages):
    method, principal = "list_principal_things_v2", {"principal": HELD.arn}
    exclusive = {"thingName": "a", "thingPrincipalType": "EXCLUSIVE_THING"}
    pages.add_response(method, {"principalThingObjects": [exclusive], "nextToken": "t"}, principal)
    pages.add_response(
        method,
        {"principalThingObjects": [{"thingName": "b"}]},
        {**principal, "nextToken": "t"},
    )
    attached = {
        "thingName": "a",
        "principal": HELD.arn,
        "thingPrincipalType": "EXCLUSIVE_THING",
    }
    pages.add_response("attach_thing_principal", {}, attached)

    things = Registry(HERE).things_of(HELD)
    Registry(HERE).attach_thing(things[0], HELD)

    assert things == (RemoteThing("a", "EXCLUSIVE_THING"), RemoteThing("b"))


def test_another_certificate_under_our_id_is_not_taken_for_ours(pages, device_ca, client_ca):
    described = {
        "certificateId": "b" * 64,
        "certificateArn": HELD.arn,
        "status": "ACTIVE",
        "certificatePem": client_ca.pem,
    }
    pages.add_client_error(
        "register_certificate",
        "ResourceAlreadyExistsException",
        "there",
        modeled_fields={"resourceId": "b" * 64, "resourceArn": HELD.arn},
    )
    pages.add_response(
        "describe_certificate",
        {"certificateDescription": described},
        {"certificateId": "b" * 64},
    )
    ca = device_ca.certificate

    with pytest.raises(RemoteFailure, match="is the ID of another certificate there"):
        Registry(HERE).register(ca, ca, status="ACTIVE")


def test_several_cas_of_one_subject_are_told_apart(pages, device_ca):
    ca = device_ca.certificate
    pages.add_response(
        "register_certificate",
        {"certificateArn": HELD.arn, "certificateId": HELD.certificate_id},
        {"certificatePem": device_ca.pem, "caCertificatePem": device_ca.pem, "status": "REVOKED"},
    )

    held = Registry(HERE).register(ca, ca, status="REVOKED")

    assert (held.certificate_id, held.status) == (HELD.certificate_id, "REVOKED")
