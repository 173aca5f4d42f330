"""Certificates of a filter are given to the outbox once more, by page and command."""

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError
from django.urls import reverse

from iotprov.jobs.reprovisioning import REPROVISION, start_reprovisioning
from iotprov.models import Provisioning
from pki.jobs.lifecycle import cancel_job
from pki.jobs.worker import work_on_job, work_on_jobs
from pki.models import AuditEvent, IssuedCertificate, Job
from tests.conftest import TESTER
from tests.pki.management.test_commands import run
from tests.support.builders import make_csr, make_key

pytestmark = pytest.mark.django_db(transaction=True)

URL = "admin:pki_issuedcertificate_reprovision-matching"


@pytest.fixture
def fleet(cloud, est_client, in_mode):
    """Two pumps that AWS IoT agrees with, and a valve that it is not to know."""
    in_mode("register")
    for index, name in enumerate(("pump-1", "pump-2")):
        assert est_client.simpleenroll(make_csr(name, key=make_key(index=index))).certificate
    Provisioning.objects.update(state="settled", next_attempt_at=None, revision=3)
    in_mode("none")
    assert est_client.simpleenroll(make_csr("valve-1", key=make_key(index=2))).certificate
    return IssuedCertificate.objects.filter(common_name__startswith="pump")


def start(rows=None):
    rows = IssuedCertificate.objects.all() if rows is None else rows
    return start_reprovisioning(rows, reason="moved", actor=TESTER)


def test_each_certificate_that_aws_iot_is_to_follow_is_due_again(fleet):
    job = start()
    work_on_jobs(seconds=20)

    job.refresh_from_db()
    assert (job.state, job.total, job.done) == ("finished", 2, 2)
    assert {*job.lines.values_list("result", flat=True)} == {
        "pump-1: given to the outbox",
        "pump-2: given to the outbox",
    }
    rows = Provisioning.objects.values_list("state", "revision")
    assert list(rows) == [("pending", 4)] * 2
    events = AuditEvent.objects.filter(action="reprovision", request_id=str(job.pk))
    assert [event.reason for event in events] == ["moved", "moved"]


def test_a_chunk_that_was_interrupted_is_done_once(fleet, monkeypatch):
    job = start()

    def interrupted(*arguments):
        REPROVISION.work_together(*arguments)
        raise KeyboardInterrupt

    kind = type(REPROVISION)(
        name="reprovision", check=lambda parameters: None, work_together=interrupted
    )
    with monkeypatch.context() as patch:
        patch.setattr("iotprov.jobs.reprovisioning.REPROVISION", kind)
        with pytest.raises(KeyboardInterrupt):
            work_on_job(job.pk, may_go_on=lambda: True)
    assert not AuditEvent.objects.filter(action="reprovision").exists()
    assert not Provisioning.objects.filter(state="pending").exists()

    work_on_jobs(seconds=20)

    assert AuditEvent.objects.filter(action="reprovision").count() == 2
    assert {*Provisioning.objects.values_list("revision", flat=True)} == {4}


def test_a_cancelled_job_gives_nothing_more_to_the_outbox(fleet):
    job = start()
    cancel_job(job, actor=TESTER)

    work_on_jobs(seconds=20)

    assert not Provisioning.objects.filter(state="pending").exists()


def test_a_certificate_that_left_aws_iots_profile_meanwhile_fails_alone(fleet):
    job = start()
    IssuedCertificate.objects.filter(common_name="pump-1").update(profile=None)

    work_on_jobs(seconds=20)

    job.refresh_from_db()
    assert (job.done, job.failed) == (1, 1)
    assert "AWS IoT is to follow" in job.lines.get(state="failed").result


def test_command_and_page_start_it(fleet, admin_client):
    said = run("reprovision", "--filter", "q=pump-1", "--reason=moved")
    assert said.endswith(": finished, 1 of 1 lines\n")
    with pytest.raises(CommandError, match="needs a reason"):
        run("reprovision", "--filter", "q=pump-1", "--reason= ")

    page = admin_client.get(reverse(URL) + "?q=pump")
    assert "gives 2 certificates to the outbox" in page.text
    admin_client.post(reverse(URL) + "?q=pump", {"reason": "moved"})

    assert Job.objects.order_by("-created_at").first().total == 2


def test_the_page_asks_for_the_outboxs_right_and_a_filter(fleet, client, admin_client):
    page = admin_client.get(reverse(URL), follow=True)
    assert "Filter or search the list first." in page.text
    carol = User.objects.create_user("carol", is_staff=True)
    for name in ("view_issuedcertificate", "change_issuedcertificate"):
        carol.user_permissions.add(Permission.objects.get(codename=name))
    client.force_login(carol)

    assert client.post(reverse(URL) + "?q=pump", {"reason": "r"}).status_code == 403
    assert not Job.objects.exists()
