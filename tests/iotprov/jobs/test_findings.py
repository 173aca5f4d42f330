"""The page of targets: ours, AWS, and the difference, as the newest comparison found them."""

import re

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from iotprov.drift.differences import Difference, Direction, Kind
from iotprov.jobs import findings
from iotprov.jobs.findings import last_comparisons
from pki.models import Job, JobLine
from tests.iotprov.drift.drifting import agreed, listing_edge
from tests.iotprov.jobs.test_comparing import start, work

__all__ = ["agreed", "listing_edge"]

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = "admin:console_targets"


@pytest.fixture
def alice(client):
    client.force_login(User.objects.create_superuser("alice"))
    return client


@pytest.fixture
def stopped(agreed):
    """A certificate that was set INACTIVE in AWS IoT's console."""
    row = agreed.enroll("sensor-1")
    agreed.set_status(row, "INACTIVE")
    return row


def test_ours_aws_and_the_difference_are_three_columns(stopped, alice):
    work(start())

    shown = alice.get(reverse(PAGE)).text

    row = shown[shown.index("<td>certificate sensor-1") :]
    cells = [cell.split("</td>")[0] for cell in row.split("<td>")[1:5]]
    assert cells[1:3] == ["ACTIVE", "INACTIVE"]
    assert "Run drift --repair to mend it." in cells[3]
    assert "1 difference, 0 alarming" in shown


def test_a_repair_is_a_job_to_which_the_page_leads_with_its_target(stopped, alice):
    work(start())
    shown = alice.get(reverse(PAGE)).text
    url = f"{reverse('admin:iotprov_provisioning_compare')}?target=default&amp;repair=yes"
    assert url in shown

    form = alice.get(url.replace("&amp;", "&")).text
    assert '<option value="default" selected>' in form
    assert re.search('<input[^>]*name="repair"[^>]* checked', form)
    asked = {"target": "default", "repair": "on", "reason": "set by mistake"}
    alice.post(reverse("admin:iotprov_provisioning_compare"), asked)
    work(Job.objects.order_by("-pk")[0])

    shown = alice.get(reverse(PAGE)).text
    assert "Given to the outbox." in shown
    assert "Mended" in shown
    assert url not in shown  # nothing is left to mend


def test_a_target_that_agrees_has_no_table_and_one_without_comparison_says_the_command(
    agreed, alice
):
    assert "manage.py drift --target default" in alice.get(reverse(PAGE)).text
    work(start())

    shown = alice.get(reverse(PAGE)).text

    assert "AWS IoT and the record agree." in shown
    assert ">Ours</th>" not in shown


def test_without_aws_iot_the_page_says_so_and_shows_the_command(installation, alice):
    shown = alice.get(reverse(PAGE)).text

    assert "No profile in force uses AWS IoT" in shown
    assert "manage.py drift" in shown


def comparison_of(target, *differences):
    """A finished comparison of one target, as the job writes it."""
    job = Job.objects.create(kind="drift", parameters={}, state="finished", actor="admin:a")
    JobLine.objects.create(job=job, number=1, subject=f"{target}: certificates", result="some")
    for number, one in enumerate(differences):
        details = {**one.as_json(), "kind": one.kind, "done": ""}
        JobLine.objects.create(
            job=job, number=findings.FIRST_OF_PART + number, subject=one.name, details=details
        )
    return job


def difference(name, **more):
    given = {"direction": Direction.DIFFERS, "is_ours": True, "advice": "Look.", **more}
    return Difference("default", Kind.CERTIFICATE, name, "ACTIVE", "INACTIVE", **given)


def test_the_newest_comparison_counts_and_alarms_come_first(db):
    comparison_of("default", difference("old"))
    comparison_of("default", difference("mild"), difference("alarm", is_alarming=True))
    comparison_of("other", difference("of another target"))

    found = last_comparisons(["default", "nowhere"])

    assert set(found) == {"default"}
    assert [one.name for one in found["default"].differences] == ["alarm", "mild"]


def test_a_page_shows_a_bounded_number_of_differences(db, monkeypatch):
    monkeypatch.setattr(findings, "MOST_SHOWN", 2)
    comparison_of("default", *(difference(f"sensor-{number}") for number in range(3)))

    found = last_comparisons(["default"])["default"]

    assert len(found.differences) == 2
    assert found.has_more
