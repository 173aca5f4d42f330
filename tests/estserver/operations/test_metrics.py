"""Log lines that CloudWatch counts, on Lambda alone."""

import datetime
import json
import logging

import pytest
from django.db import OperationalError
from django.utils import timezone

from estserver.deploy.deployment import Deployment
from estserver.deploy.resources.watching.alarm_list import alarms
from estserver.deploy.resources.watching.dashboard import graphs
from estserver.operations import schedule
from estserver.operations.gauges import gauges
from estserver.operations.logs import JSONFormatter
from iotprov.models import Provisioning
from iotprov.provisioning.worker import Drained
from pki.denylist.entries import deny
from pki.models import CertificateAuthority
from tests.conftest import TESTER
from tests.estserver.operations.changes import note_a_change
from tests.iotprov.conftest import clock, cloud, in_mode, use_template, waiting
from tests.support.builders import make_csr

__all__ = ["clock", "cloud", "in_mode", "use_template", "waiting"]


@pytest.fixture
def lines(caplog, settings):
    """The log's lines as Lambda prints them, parsed."""
    settings.IS_LAMBDA = True
    caplog.set_level(logging.INFO)
    return lambda: [json.loads(JSONFormatter().format(record)) for record in caplog.records]


def counted(line):
    """Each metric of a line as CloudWatch reads it: name, unit, value and dimensions."""
    directives = line["_aws"]["CloudWatchMetrics"]
    assert abs(line["_aws"]["Timestamp"] / 1000 - timezone.now().timestamp()) < 3600
    return [
        (
            directive["Namespace"],
            metric["Name"],
            metric["Unit"],
            line[metric["Name"]],
            {name: line[name] for name in names},
        )
        for directive in directives
        for names in directive["Dimensions"]
        for metric in directive["Metrics"]
    ]


def metrics_written(lines):
    """Namespace, name and dimensions of each metric in the log."""
    return {
        (space, name, tuple(by.items()))
        for line in lines()
        if "_aws" in line
        for space, name, _, _, by in counted(line)
    }


def enrollments(lines):
    return [
        dimensions
        for line in lines()
        if "_aws" in line
        for _, name, _, value, dimensions in counted(line)
        if name == "Enrollments" and value == 1
    ]


def test_an_enrollment_is_counted_as_ok(est_client, lines):
    est_client.simpleenroll(make_csr("sensor-1"))

    assert enrollments(lines) == [
        {"Project": "est-server"},
        {"Project": "est-server", "Outcome": "ok"},
    ]


def test_a_refusal_is_counted_by_its_reason(est_client, lines):
    deny("name", "sensor-1", reason="stolen", actor=TESTER)

    est_client.simpleenroll(make_csr("sensor-1"))

    *_, finest = enrollments(lines)
    assert (finest["Outcome"], finest["Reason"]) == ("refused", "device-denied")


def test_what_isnt_an_enrollment_counts_nothing(est_client, lines):
    est_client.cacerts()

    assert enrollments(lines) == []


def test_on_a_laptop_no_line_is_for_cloudwatch(transactional_db, est_client, lines, settings):
    settings.IS_LAMBDA = False

    est_client.simpleenroll(make_csr("sensor-1"))
    schedule.every_minute({}, None)

    assert not [line for line in lines() if "_aws" in line]


def test_each_minute_says_what_the_alarms_wait_for(
    transactional_db, installation, lines, settings, aws_cloud
):
    note_a_change()  # so that the schedule is not paused

    schedule.every_minute({}, None)

    said = metrics_written(lines)
    names = ("OutboxAgeSeconds", "CADaysToExpiry", "ScheduleRuns")
    assert said == {("EST", name, (("Project", "est-server"),)) for name in names}


def counts_of(name, lines):
    return [
        (value, by)
        for line in lines()
        if "_aws" in line
        for _, metric, _, value, by in counted(line)
        if metric == name
    ]


def test_a_database_that_does_not_answer_is_counted(
    transactional_db, est_client, lines, monkeypatch
):
    """By a request that is refused for it, and by a run of the schedule."""

    def fail(*args, **kwargs):
        raise OperationalError("connection refused")

    monkeypatch.setattr(schedule, "run_pending_hooks", fail)
    monkeypatch.setattr(schedule, "pause_if_idle", lambda: None)
    with pytest.raises(OperationalError):
        schedule.every_minute({}, None)
    monkeypatch.setattr("estserver.est.enrollment_views.current_snapshot_and", fail)
    assert est_client.simpleenroll(make_csr("sensor-1")).status_code == 503

    assert counts_of("DatabaseFailures", lines) == [(1, {"Project": "est-server"})] * 2
    assert counts_of("ScheduleRuns", lines) == []


def test_rows_that_aws_iot_throttles_are_counted(transactional_db, waiting, lines, monkeypatch):
    waiting("sensor-1")
    monkeypatch.setattr(schedule, "drain", lambda seconds: Drained(postponed=2, throttled=2))
    monkeypatch.setattr(schedule, "pause_if_idle", lambda: None)

    schedule.every_minute({}, None)

    assert counts_of("IoTThrottles", lines) == [(2, {"Project": "est-server"})]


def test_the_age_is_the_oldest_rows_and_the_days_the_first_cas(
    transactional_db, waiting, client_ca
):
    waiting("sensor-1")
    now = timezone.now()
    Provisioning.objects.update(pending_since=now - datetime.timedelta(minutes=20))
    CertificateAuthority.objects.filter(pk=client_ca.pk).update(
        not_after=now + datetime.timedelta(days=80)
    )

    age, days = gauges()

    assert 1200 <= age.value < 1260
    assert days.value == pytest.approx(80, abs=0.1)


def test_everything_that_alarms_and_dashboard_name_is_written(
    transactional_db, est_client, cloud, waiting, lines, settings, monkeypatch
):
    """Each metric of ours, with the dimensions under which they look for it."""
    monkeypatch.setattr(schedule, "pause_if_idle", lambda: None)
    # Enrollments: one that is well, one that is refused, one that fails for want of a database.
    waiting("sensor-1")
    deny("name", "sensor-2", reason="stolen", actor=TESTER)
    est_client.simpleenroll(make_csr("sensor-2"))
    with monkeypatch.context() as failing:
        failing.setattr("estserver.est.enrollment_views.current_snapshot_and", _no_database)
        est_client.simpleenroll(make_csr("sensor-3"))
    # The schedule, with an AWS IoT that throttles.
    monkeypatch.setattr(schedule, "drain", lambda seconds: Drained(throttled=1))
    schedule.every_minute({}, None)

    said = metrics_written(lines)
    deployment = Deployment(settings.CONFIG, "123456789012", "eu-central-1")
    graph_lines = [line for lines in graphs(deployment, "").values() for line in lines]
    wanted = {
        (each.namespace, each.metric, tuple(each.dimensions.items()))
        for each in [*alarms(deployment, cluster=""), *graph_lines]
        if each.namespace == "EST"
    }
    assert wanted <= said
    # And what is written is looked at somewhere: each costs money.
    assert {name for _, name, _ in said} == {name for _, name, _ in wanted}


def _no_database(*looks):
    raise OperationalError("connection refused")
