"""The minutely schedule pauses while there is nothing to do, and no work is left behind it."""

import datetime
import logging
from dataclasses import replace

import pytest
from django.utils import timezone
from zappa.core import Zappa

from estserver.config.rule_names import HOURLY, MINUTELY, rule_name
from estserver.models import PendingHook
from estserver.operations import audit_report, minutely_rule, schedule
from iotprov.models import CAWithdrawal, Provisioning
from iotprov.provisioning import outbox
from pki.aws.clients import aws_client
from pki.denylist.entries import deny
from pki.models import AuditEvent, IssuedCertificate
from pki.operators.errors import RemoteFailure
from pki.record import due_work
from pki.record.transactions import in_write_transaction
from tests.conftest import TESTER
from tests.estserver.operations.changes import note_a_change
from tests.iotprov.conftest import clock, cloud, in_mode, use_template, waiting
from tests.support.builders import make_csr

__all__ = ["clock", "cloud", "in_mode", "use_template", "waiting"]

RULE = rule_name("est-server", MINUTELY)


@pytest.fixture
def on_lambda(transactional_db, aws_cloud, settings, monkeypatch):
    """A function of an installation whose rules Zappa has made."""
    settings.IS_LAMBDA = True
    monkeypatch.setattr(audit_report, "_put", lambda bucket, heads: None)
    minutely_rule.forget()
    due_work.register(minutely_rule.wake)
    for name in (RULE, rule_name("est-server", HOURLY)):
        aws_client("events").put_rule(Name=name, ScheduleExpression="rate(1 minute)")
    yield
    due_work.unregister(minutely_rule.wake)
    minutely_rule.forget()


@pytest.fixture
def calls(on_lambda, monkeypatch):
    """The changes of the rule, in their order; they are made as well."""
    made = []
    change = minutely_rule._change

    def note(method):
        made.append(method)
        change(method)

    monkeypatch.setattr(minutely_rule, "_change", note)
    return made


class Context:
    """Lambda's."""

    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:est-server-admin"


def state():
    return aws_client("events").describe_rule(Name=RULE)["State"]


def idle(clock):
    """Let all that an enrollment does be done, and a quarter of an hour pass."""
    schedule.every_minute({}, Context)
    clock(minutes=15)


def pause(clock):
    """Let the schedule pause because it is idle."""
    idle(clock)
    schedule.every_minute({}, Context)
    assert state() == "DISABLED"


@pytest.fixture
def just_before_disabling(monkeypatch):
    """Return a function that has something done when the rule is about to be disabled."""
    change = minutely_rule._change
    done = []

    def arrange(deed):
        def overtake(method):
            if method == "disable_rule":
                monkeypatch.setattr(minutely_rule, "_change", change)
                deed()
                done.append(deed)
            change(method)

        monkeypatch.setattr(minutely_rule, "_change", overtake)

    yield arrange
    assert done


@pytest.mark.parametrize("project", ["est-server", "a", "p" * 20, "p" * 40])
@pytest.mark.parametrize("path", [MINUTELY, HOURLY])
def test_the_rules_have_the_names_that_zappa_gives_them(project, path):
    zappa = object.__new__(Zappa)
    made = zappa.get_scheduled_event_name({"function": path}, path, f"{project}-admin")

    assert rule_name(project, path) == made


def test_it_is_paused_when_nothing_was_done_for_ten_minutes(on_lambda, installation, clock):
    note_a_change()
    schedule.every_minute({}, Context)
    assert state() == "ENABLED"
    clock(minutes=11)

    schedule.every_minute({}, Context)

    assert state() == "DISABLED"


def test_it_goes_on_while_something_waits(on_lambda, waiting, clock):
    waiting("sensor-1")
    outbox.hurry()
    Provisioning.objects.update(next_attempt_at=timezone.now() + datetime.timedelta(minutes=50))
    clock(minutes=15)

    schedule.every_minute({}, Context)

    assert state() == "ENABLED"


def test_an_enrollment_resumes_it_once_for_all_of_two_minutes(
    calls, waiting, est_client, clock, monkeypatch
):
    pause(clock)
    calls.clear()

    waiting("sensor-1", "sensor-2", "sensor-3")

    assert (state(), calls) == ("ENABLED", ["enable_rule"])
    time = minutely_rule.time
    passed = minutely_rule.ONCE_IN.total_seconds()
    for name in ("monotonic", "time"):
        true = getattr(time, name)
        monkeypatch.setattr(time, name, lambda true=true: true() + passed)
    waiting("sensor-4")
    assert calls == ["enable_rule", "enable_rule"]


@pytest.mark.parametrize("clock_that_stands", ["monotonic", "time"])
def test_a_frozen_functions_clock_may_stand_still(calls, waiting, monkeypatch, clock_that_stands):
    waiting("sensor-1")
    other = {"monotonic": "time", "time": "monotonic"}[clock_that_stands]
    true = getattr(minutely_rule.time, other)
    monkeypatch.setattr(minutely_rule.time, other, lambda: true() + 3600)

    waiting("sensor-2")

    assert calls == ["enable_rule", "enable_rule"]


def test_jitp_makes_no_call(calls, est_client, in_mode, cloud):
    in_mode("jitp")

    first = est_client.simpleenroll(make_csr("sensor-1"))

    assert (first.status_code, calls) == (200, [])


def test_what_is_due_in_days_makes_no_call(calls, transactional_db):
    due_work.announce(timezone.now() + datetime.timedelta(days=7))

    assert calls == []


def test_a_rollback_makes_no_call(calls):
    def fail():
        due_work.announce(timezone.now())
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        in_write_transaction(fail)

    assert calls == []


def test_T73_an_operators_change_resumes_it(calls, waiting, clock):
    waiting("sensor-1")
    pause(clock)
    minutely_rule.forget()

    deny("name", "sensor-1", reason="stolen", actor=TESTER)

    assert state() == "ENABLED"


def test_a_hook_that_is_still_to_run_keeps_it_awake(on_lambda, est_client, clock):
    est_client.simpleenroll(make_csr("sensor-1"))
    clock(minutes=15)
    assert minutely_rule.is_idle()

    PendingHook.objects.create(
        certificate=IssuedCertificate.objects.get(common_name="sensor-1"),
        next_attempt_at=timezone.now() + datetime.timedelta(minutes=30),
    )

    assert not minutely_rule.is_idle()


def test_a_ca_that_aws_iot_has_to_follow_keeps_it_awake(on_lambda, device_ca, clock):
    clock(minutes=15)
    assert minutely_rule.is_idle()

    CAWithdrawal.objects.create(ca=device_ca, target="default")

    assert not minutely_rule.is_idle()


def test_a_device_gets_its_answer_when_eventbridge_fails(
    on_lambda, est_client, in_mode, cloud, caplog
):
    in_mode("register")
    aws_client("events").delete_rule(Name=RULE)
    caplog.set_level(logging.WARNING)

    assert est_client.simpleenroll(make_csr("sensor-1")).status_code == 200

    assert "the minutely schedule may stay paused for an hour" in caplog.text


def test_no_call_waits_longer_than_a_second(on_lambda, monkeypatch):
    waits = []
    client = minutely_rule.aws_client

    def look(service, place, *, read_timeout):
        made = client(service, place, read_timeout=read_timeout)
        config = made.meta.config
        waits.append((config.connect_timeout, config.read_timeout, config.retries))
        return made

    monkeypatch.setattr(minutely_rule, "aws_client", look)

    due_work.announce(timezone.now())

    ((connecting, reading, retries),) = waits
    assert (connecting, reading, retries["total_max_attempts"]) == (1, 1, 1)


def test_T73_work_that_comes_while_the_rule_is_being_disabled_enables_it_again(
    on_lambda, waiting, clock, just_before_disabling
):
    """Its own call came before the disabling, which undid it."""
    idle(clock)

    @just_before_disabling
    def work_comes():
        waiting("sensor-1")
        assert state() == "ENABLED"

    minutely_rule.pause_if_idle()

    assert Provisioning.objects.due().exists()
    assert state() == "ENABLED"


def test_T73_work_whose_process_made_no_call_finds_the_rule_enabled(
    on_lambda, waiting, est_client, cloud, clock, just_before_disabling
):
    """The process enabled the rule for work that is done already, and writes more a bit later."""
    idle(clock)

    @just_before_disabling
    def work_comes_and_is_done():
        waiting("sensor-1")
        schedule.drain()
        assert not Provisioning.objects.due().exists()

    minutely_rule.pause_if_idle()

    waiting("sensor-2")  # within two minutes: no call

    assert state() == "ENABLED"


def test_the_times_fit_together():
    slack = datetime.timedelta(minutes=2)  # a request, a transaction that starts over, two clocks
    assert minutely_rule.ONCE_IN + slack < minutely_rule.QUIET
    assert minutely_rule.LOOK_AHEAD > minutely_rule.SOON


def test_a_look_that_fails_leaves_the_rule_enabled(on_lambda, installation, clock, monkeypatch):
    clock(minutes=15)
    answers = iter([True])
    monkeypatch.setattr(minutely_rule, "is_idle", lambda: next(answers))

    with pytest.raises(StopIteration):
        minutely_rule.pause_if_idle()

    assert state() == "ENABLED"


def test_the_hourly_run_resumes_it_for_what_is_due_before_the_next_one(on_lambda, waiting, clock):
    waiting("sensor-1")
    schedule.drain()
    Provisioning.objects.update(next_attempt_at=timezone.now() + datetime.timedelta(hours=3))
    clock(minutes=15)
    schedule.every_minute({}, Context)
    assert state() == "DISABLED"
    schedule.every_hour({}, Context)
    assert state() == "DISABLED"
    clock(hours=2)

    schedule.every_hour({}, Context)

    assert state() == "ENABLED"


def test_the_hourly_run_does_the_work_itself_if_aws_does_not_resume_it(
    on_lambda, waiting, cloud, monkeypatch
):
    waiting("sensor-1")

    def refuse(method):
        raise RemoteFailure("events:EnableRule", "ThrottlingException", "slowly", "Wait.")

    monkeypatch.setattr(minutely_rule, "_change", refuse)

    schedule.every_hour({}, Context)

    assert cloud.things() == ["sensor-1"]


@pytest.mark.parametrize("is_on_lambda", [True, False])
def test_without_the_key_or_lambda_nothing_is_called(
    calls, waiting, clock, settings, monkeypatch, is_on_lambda
):
    settings.IS_LAMBDA = is_on_lambda
    if is_on_lambda:
        options = settings.CONFIG.deployment
        monkeypatch.setattr(minutely_rule, "settings", _Settings(options))

    waiting("sensor-1")
    idle(clock)
    schedule.every_minute({}, Context)
    schedule.every_hour({}, Context)

    assert (calls, state()) == ([], "ENABLED")


class _Settings:
    """A configuration with ``pauseIdleSchedule: false``."""

    IS_LAMBDA = True

    def __init__(self, options):
        deployment = replace(options, pause_idle_schedule=False)
        self.CONFIG = type("Config", (), {"deployment": deployment})


def test_an_idle_month_costs_24_runs_a_day(on_lambda, installation, clock, monkeypatch):
    """What the page says of invocations: measured over an idle day, on a clock that tests move."""
    clock(minutes=15)
    runs = {"minute": 0, "hour": 0}

    for minute in range(24 * 60):
        if state() == "ENABLED":
            runs["minute"] += 1
            schedule.every_minute({}, Context)
        if minute % 60 == 59:
            runs["hour"] += 1
            schedule.every_hour({}, Context)
        clock(minutes=1)

    assert runs == {"minute": 1, "hour": 24}
    assert not AuditEvent.objects.filter(at__gte=timezone.now() - minutely_rule.QUIET).exists()
