"""AWS IoT is compared with the record by a job, part by part, with a line for each difference."""

import pytest
from django.core.management import CommandError
from django.urls import reverse
from django.utils import timezone

from iotprov.drift import comparison
from iotprov.jobs import comparing
from iotprov.jobs.comparing import FIRST_OF_PART, start_comparison
from iotprov.models import Provisioning
from iotprov.provisioning.worker import drain
from pki.jobs import worker
from pki.jobs.lifecycle import cancel_job, continue_job
from pki.jobs.worker import work_on_job, work_on_jobs
from pki.models import AuditEvent, Job
from pki.operators.errors import OperatorError, RemoteFailure
from tests.conftest import TESTER
from tests.iotprov.drift.drifting import agreed, found, listing_edge
from tests.pki.management.test_commands import run

__all__ = ["agreed", "listing_edge"]

pytestmark = pytest.mark.django_db(transaction=True)

PARTS = len(comparison.PARTS)


def start(**options):
    given = {"deep": False, "repair": False, "reason": ""} | options
    return start_comparison("", actor=TESTER, **given)


def work(job, chunks=1000):
    turns = iter([True] * (chunks + 1))
    work_on_job(job.pk, may_go_on=lambda: next(turns, False))
    job.refresh_from_db()
    return job


def differences(job):
    rows = job.lines.filter(number__gte=FIRST_OF_PART).order_by("number")
    return [line.result for line in rows]


@pytest.fixture
def stopped(agreed):
    """Two certificates that were set INACTIVE in AWS IoT's console."""
    for row in (agreed.enroll("sensor-1"), agreed.enroll("sensor-2", key=1)):
        agreed.set_status(row, "INACTIVE")


def test_each_part_has_a_result_and_each_difference_a_line(stopped):
    job = work(start())

    assert (job.state, job.total, job.done, job.failed) == ("finished", PARTS, PARTS, 0)
    results = dict(job.lines.filter(number__lte=PARTS).values_list("subject", "result"))
    assert results["default: IoT policy"] == "AWS IoT and the record agree."
    assert results["default: certificates"] == ("2 differences, 0 alarming. The results name them.")
    said = differences(job)
    assert len(said) == 2
    assert "ACTIVE here -> INACTIVE in AWS" in said[0]


def test_a_repair_gives_certificates_to_the_outbox_with_its_audit_rows(stopped):
    job = work(start(repair=True, reason="console"))

    assert all(said.endswith(" Given to the outbox.") for said in differences(job))
    events = AuditEvent.objects.filter(action="repair-drift", request_id=str(job.pk))
    assert [event.reason for event in events] == ["console"] * 2
    drain()
    assert found() == []


def test_without_a_repair_nothing_is_changed(stopped):
    before = list(Provisioning.objects.order_by("pk").values())

    work(start())

    assert list(Provisioning.objects.order_by("pk").values()) == before
    assert not AuditEvent.objects.filter(action="repair-drift").exists()


def test_a_part_that_fails_stops_no_other_and_is_repeated(stopped, monkeypatch):
    def fail(target, deep):
        raise RemoteFailure("iot:GetPolicy", "Denied", "No.", "Ask AWS.")

    with monkeypatch.context() as patch:
        patch.setitem(comparison.PARTS, "IoT policy", fail)
        job = work(start())
    assert (job.state, job.done, job.failed) == ("finished", PARTS - 1, 1)
    assert "iot:GetPolicy failed with Denied" in job.lines.get(state="failed").result

    continue_job(job, actor=TESTER)
    work(job)

    assert (job.done, job.failed) == (PARTS, 0)
    assert len(differences(job)) == 2


def test_after_a_crash_a_part_is_compared_anew_and_nothing_is_listed_twice(stopped, monkeypatch):
    job = start()
    monkeypatch.setattr(comparing, "TOGETHER", 1)
    add = comparing._Findings.add

    def crash(self, difference, done):
        add(self, difference, done)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(comparing._Findings, "add", crash)
        with pytest.raises(KeyboardInterrupt):
            work(job)
    assert len(differences(job)) == 1

    work(job)

    assert job.state == "finished"
    assert len(differences(job)) == len(set(differences(job))) == 2


def test_a_long_part_keeps_its_lease_also_where_it_finds_nothing(agreed, monkeypatch):
    for index in range(3):
        agreed.enroll(f"sensor-{index}", key=index)
    monkeypatch.setattr(worker, "RENEWAL", timezone.timedelta(0))
    leases = set()
    keep = worker._keep_or_interrupt

    def note(job):
        keep(job)
        leases.add(Job.objects.get().leased_until)

    monkeypatch.setattr(worker, "_keep_or_interrupt", note)

    job = work(start())

    assert differences(job) == []
    assert len(leases) > 1


def test_a_cancellation_stops_a_part_in_its_middle(stopped, monkeypatch):
    job = start()
    add = comparing._Findings.add

    def cancel(self, difference, done):
        add(self, difference, done)
        cancel_job(job, actor=TESTER)

    monkeypatch.setattr(comparing._Findings, "add", cancel)

    work(job)

    assert job.state == "cancelled"
    line = job.lines.get(subject="default: certificates")
    assert line.state == "waiting"


def test_a_repair_without_a_reason_and_an_unknown_target_are_refused(agreed):
    with pytest.raises(OperatorError, match="A repair needs a reason"):
        start(repair=True, reason=" ")
    with pytest.raises(OperatorError, match="There is no target 'mars'"):
        start_comparison("mars", deep=False, repair=False, reason="", actor=TESTER)
    assert not Job.objects.exists()


def test_command_and_page_start_it(stopped, admin_client):
    assert f"running, 0 of {PARTS} lines" in run("drift", "--as-job")
    with pytest.raises(CommandError, match="neither --dry-run nor --json"):
        run("drift", "--as-job", "--json")

    url = reverse("admin:iotprov_provisioning_compare")
    page = admin_client.post(url, {"target": "", "repair": "on", "reason": ""})
    assert "A repair needs a reason" in page.text
    page = admin_client.post(url, {"target": "", "repair": "on", "reason": "r"}, follow=True)

    assert "A job compares AWS IoT with the record." in page.text
    work_on_jobs(seconds=30)
    assert {*Job.objects.values_list("state", flat=True)} == {"finished"}
    assert Job.objects.count() == 2
