"""The overview: each number is the number of rows of the list that it leads to."""

import datetime
import io
import json
import re
from dataclasses import replace

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from estserver.console.overview import notices as notices_module
from estserver.console.overview.charts import bar_chart
from estserver.console.overview.notices import acknowledge
from estserver.console.overview.page import SEES
from estserver.console.overview.report import notice, present_notices, read_overview
from estserver.console.registry import Panel, PanelLine, console
from estserver.models import Acknowledgement, OfficerRequest, PendingHook, TruststorePush
from estserver.people import two_persons
from estserver.tools.doctor import examination
from estserver.tools.doctor.registry import CHECKS
from iotprov.models import CARegistration, Provisioning
from pki.denylist.entries import deny
from pki.models import AuditEvent, CertificateAuthority, CertificateProfile, IssuedCertificate, Job
from pki.operators.errors import OperatorError
from pki.record import audit_trail
from tests.conftest import TESTER
from tests.support.builders import make_csr, make_key

OF_THE_SUMMARY = len([check for check in CHECKS if check.is_in_summary])
"""Statements of the doctor's summary: one a check."""
DAY = datetime.timedelta(days=1)
INDEX = "/admin/"


def change(name, **fields):
    IssuedCertificate.objects.filter(common_name=name).update(**fields)


@pytest.fixture
def fleet(est_client, device_ca, transactional_db):
    """Certificates in every state and age, jobs, hooks, an outbox, refusals."""
    now = timezone.now()
    names = [f"sensor-{number}" for number in range(8)]
    for number, name in enumerate(names):
        est_client.simpleenroll(make_csr(name, key=make_key(index=number)))
    for name, days in zip(names, (3, 20, 60, 200, -5, -50, 3, 5), strict=True):
        change(name, not_after=now + days * DAY)
    change("sensor-6", state="superseded")
    change("sensor-7", state="revoked")
    # Two refusals for one reason, and one for another.
    for name in ("lost-1", "lost-2"):
        deny("name", name, reason="stolen", actor=TESTER)
    est_client.simpleenroll(make_csr("lost-1"))
    est_client.simplereenroll(make_csr("sensor-99"))
    for state in ("running", "running", "failed", "finished"):
        Job.objects.create(kind="revoke", parameters={}, state=state, actor="admin:alice")
    certificate = IssuedCertificate.objects.get(common_name="sensor-0")
    PendingHook.objects.create(certificate=certificate, attempts=2, last_error="refused")
    for number, (state, attempts) in enumerate(
        [("pending", 0), ("pending", 3), ("parked", 1), ("settled", 0)]
    ):
        Provisioning.objects.create(
            certificate=IssuedCertificate.objects.get(common_name=f"sensor-{number}"),
            target="default",
            state=state,
            attempts=attempts,
            error="throttled" if attempts else "",
        )


def numbers(client):
    """Each number of the overview with the address that it leads to."""
    page = client.get(INDEX).text
    return [
        (address.replace("&amp;", "&"), int(text.replace(",", "")))
        for address, text in re.findall(r'<a class="figure" href="([^"]+)">([\d,]+)</a>', page)
    ]


def test_every_number_is_the_number_of_rows_that_its_link_shows(admin_client, fleet):
    found = numbers(admin_client)

    shown = {address: admin_client.get(address).context["cl"].result_count for address, _ in found}
    assert [(address, count) for address, count in found if shown[address] != count] == []
    assert len(found) > 30
    assert sum(count > 0 for _, count in found) > 14


def test_the_numbers_are_those_of_the_fleet(fleet):
    overview = read_overview()

    assert {days: one.count for days, one in overview.fleet.expiring.items()} == {
        7: 1,
        30: 2,
        90: 3,
    }
    assert overview.fleet.not_renewed.count == 1
    assert sum(month.figure.count for month in overview.fleet.months) == 4
    assert len(overview.fleet.months) == 12
    assert (
        overview.fleet.issued_day.count
        == IssuedCertificate.objects.exclude(state__in=("intent", "void")).count()
    )
    assert [one.pending.count for one in overview.waiting] == [2]
    assert [one.failing.count for one in overview.waiting] == [1]
    assert [one.parked.count for one in overview.waiting] == [1]
    assert {one.code: one.day.count for one in overview.refusals} == {
        "device-denied": 1,
        next(one.code for one in overview.refusals if one.code != "device-denied"): 1,
    }


def test_a_month_has_what_expires_in_it_and_the_next_one_what_expires_at_its_first_moment(fleet):
    months = read_overview().fleet.months
    change("sensor-3", not_after=months[5].first)
    change("sensor-2", not_after=months[5].first - datetime.timedelta(seconds=1))

    months = read_overview().fleet.months

    assert "sensor-3" in {row.common_name for row in months[5].figure.rows}
    assert "sensor-2" in {row.common_name for row in months[4].figure.rows}


def test_the_overview_takes_at_most_12_queries_whatever_there_is(admin_client, fleet, settings):
    properties = replace(settings.CONFIG.properties, api_custom_domain_name="est.example.com")
    settings.CONFIG = replace(settings.CONFIG, properties=properties)
    TruststorePush.objects.create(
        domain="est.example.com", uri="s3://b/k", version_id="1", sha256="0" * 64,
        certificate_count=2, reason="first", pushed_by="admin:alice",
        activated_at=timezone.now(),
    )  # fmt: skip
    for number in range(30):
        Job.objects.create(kind="revoke", parameters={}, state="failed", actor=f"a:{number}")
    examination.forget()
    taken = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as asked:
            assert "Truststore of API Gateway" in admin_client.get(INDEX).text
        taken.append([one["sql"][:80] for one in asked.captured_queries])

    first, second = taken  # the first one examines, of which the summary is kept for a while
    assert len(second) <= 12, second
    assert len(first) - len(second) <= OF_THE_SUMMARY, first


def test_counts_by_expiry_read_the_index_and_no_row_of_another_month(fleet):
    with CaptureQueriesContext(connection) as asked:
        read_overview()
    counting = next(one["sql"] for one in asked.captured_queries if "counted" in one["sql"])

    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {counting}")
        plan = [str(row[3]) for row in cursor.fetchall()]

    by_expiry = "INDEX certificate_expiry (state=? AND not_after>"
    assert sum(by_expiry in line for line in plan) == 16, plan
    assert "SCAN pki_issuedcertificate" not in plan


def test_a_person_without_the_permissions_sees_no_number_and_asks_for_none(fleet):
    carol = User.objects.create_user("carol", is_staff=True)
    for one in SEES[1:]:
        carol.user_permissions.add(Permission.objects.get(codename=one.split(".")[1]))
    client = Client()
    client.force_login(carol)

    assert numbers(client) == []
    carol.user_permissions.add(Permission.objects.get(codename=SEES[0].split(".")[1]))
    assert numbers(client) != []


@pytest.mark.django_db
def test_an_empty_installation_says_which_command_to_run(admin_client):
    page = admin_client.get(INDEX).text

    assert "manage.py bootstrap_cas" in page
    assert "manage.py quickstart" in page
    assert [one.key for one in present_notices()] == ["no-device-ca"]


def keys():
    return {one.key for one in present_notices()}


def test_each_thing_that_is_wrong_is_a_notice_and_goes_when_it_is_right(fleet, device_ca):
    CertificateProfile.objects.update(iot_provisioning="jitp")
    assert keys() == {
        "parked:default", "not-renewed", "jobs-failed", "hooks-failed",
        f"not-registered:{device_ca.name}:default",
    }  # fmt: skip

    CARegistration.objects.create(ca=device_ca, target="default", state="registered")
    Provisioning.objects.update(state="settled")
    Job.objects.update(state="finished")
    PendingHook.objects.all().delete()
    change("sensor-4", state="superseded")
    assert keys() == set()

    Provisioning.objects.filter(attempts=3).update(
        state="pending", pending_since=timezone.now() - 2 * datetime.timedelta(hours=1)
    )
    assert keys() == {"late:default"}
    assert "throttled" in present_notices()[0].what


def test_what_waits_for_a_second_person_is_a_notice_until_it_is_decided_or_over(
    admin_client, admin_user, device_ca
):
    asked = two_persons.ask(
        operation="pki_certificateauthority_distrust",
        row=str(device_ca.pk),
        subject=device_ca.name,
        parameters={},
        person=admin_user,
        actor=TESTER,
    )
    found = notice("requests-to-confirm")
    assert found.what.startswith("1 request about CAs waits for a second person")
    assert admin_client.get(found.url).status_code == 200

    OfficerRequest.objects.update(ends_at=timezone.now())
    assert notice("requests-to-confirm") is None
    OfficerRequest.objects.update(ends_at=asked.ends_at)
    assert notice("requests-to-confirm") is not None
    two_persons.refuse(asked, name="admin", actor=TESTER, reason="not now")
    assert notice("requests-to-confirm") is None


@pytest.mark.parametrize(
    ("days", "severity", "is_urgent"),
    [(40, None, None), (20, 1, False), (5, 2, True), (-1, 3, True)],
)
def test_a_ca_that_expires_is_a_notice_that_gets_worse(device_ca, days, severity, is_urgent):
    CertificateAuthority.objects.filter(pk=device_ca.pk).update(
        not_after=timezone.now() + days * DAY + datetime.timedelta(hours=1)
    )

    found = notice(f"ca-expires:{device_ca.name}")

    assert (found and found.severity, found and found.is_urgent) == (severity, is_urgent)


def test_a_failed_registration_says_what_aws_said(device_ca):
    CertificateProfile.objects.update(iot_provisioning="register")
    CARegistration.objects.create(
        ca=device_ca, target="default", state="failed", error="The CA is a duplicate."
    )

    assert "The CA is a duplicate." in notice(f"not-registered:{device_ca.name}:default").what


def test_a_notice_is_acknowledged_with_a_reason_by_a_person_who_may(fleet):
    url = reverse("admin:console_acknowledge", args=["parked:default"])
    client = Client()
    client.force_login(User.objects.create_superuser("dora"))

    assert "Need a person" in client.get(INDEX).text
    assert client.get(url).status_code == 200
    refused = client.post(url, {"reason": " "})
    assert "required" in refused.text
    done = client.post(url, {"reason": "ticket 17"}, follow=True)

    assert "Acknowledged:" in done.text
    row = Acknowledgement.objects.get()
    assert (row.key, row.actor, row.reason) == ("parked:default", "admin:dora", "ticket 17")
    event = AuditEvent.objects.get(action="notice.acknowledge")
    assert (event.target, event.reason) == ("notice:parked:default", "ticket 17")
    assert audit_trail.verify()[1] is None
    overview = read_overview().notices
    assert [one.key for one in overview.acknowledged] == ["parked:default"]
    assert "parked:default" not in {one.key for one in overview.open}


def test_a_person_who_may_only_look_acknowledges_nothing(fleet):
    client = Client()
    client.force_login(User.objects.create_user("carol", is_staff=True))

    url = reverse("admin:console_acknowledge", args=["parked:default"])

    assert client.post(url, {"reason": "ticket"}).status_code == 403
    assert not Acknowledgement.objects.exists()


def test_an_acknowledged_notice_is_open_again_when_it_gets_worse(fleet):
    acknowledge(notice("parked:default"), actor=TESTER, reason="ticket 17")
    assert "parked:default" not in {one.key for one in read_overview().notices.open}

    Provisioning.objects.filter(state="pending").update(state="parked")

    assert "parked:default" in {one.key for one in read_overview().notices.open}
    acknowledge(notice("parked:default"), actor=TESTER, reason="ticket 18")
    assert "parked:default" not in {one.key for one in read_overview().notices.open}
    assert Acknowledgement.objects.get().reason == "ticket 18"


def test_an_acknowledgement_does_not_hold_for_ever(fleet):
    acknowledge(notice("parked:default"), actor=TESTER, reason="ticket 17")
    Acknowledgement.objects.update(at=timezone.now() - notices_module.HOLDS_FOR)

    assert "parked:default" in {one.key for one in read_overview().notices.open}


def test_a_solved_notice_is_shown_with_who_took_it_on(admin_client, fleet):
    acknowledge(notice("parked:default"), actor=TESTER, reason="ticket 17")
    Provisioning.objects.update(state="settled")

    assert [row.key for row in read_overview().notices.solved] == ["parked:default"]
    page = admin_client.get(INDEX).text
    assert "Solved (1)" in page
    assert "ticket 17" in page


def test_a_notice_that_is_solved_meanwhile_is_not_acknowledged(admin_client, fleet):
    Provisioning.objects.update(state="settled")
    url = reverse("admin:console_acknowledge", args=["parked:default"])

    assert admin_client.get(url).status_code == 404
    done = admin_client.post(url, {"reason": "late"}, follow=True)

    assert "nothing to acknowledge" in done.text
    assert not Acknowledgement.objects.exists()


def run(*arguments, **options):
    out = io.StringIO()
    call_command("notices", *arguments, stdout=out, **options)
    return out.getvalue()


def test_the_command_lists_the_notices_and_acknowledges_one(fleet):
    lines = [json.loads(line) for line in run("--json").splitlines()]
    assert {line["key"] for line in lines} == keys()
    assert {line["state"] for line in lines} == {"open"}

    run("--acknowledge", "parked:default", "--reason", "ticket 17")

    states = {line["key"]: line["state"] for line in map(json.loads, run("--json").splitlines())}
    assert states["parked:default"] == "acknowledged"
    assert "acknowledged parked:default: 1 certificate cannot" in run()


@pytest.mark.parametrize("key", ["parked:elsewhere", "nothing"])
def test_the_command_refuses_a_notice_that_is_not_there(fleet, key):
    with pytest.raises(CommandError, match="There is no notice"):
        run("--acknowledge", key, "--reason", "ticket")


def test_the_command_asks_for_a_reason(fleet):
    with pytest.raises((CommandError, OperatorError), match="Say why"):
        run("--acknowledge", "parked:default")


def test_T05_hostile_text_is_shown_harmlessly_on_the_overview(admin_client, fleet, device_ca):
    hostile = '"><script>alert(1)</script>\u202e'
    Provisioning.objects.update(error=hostile, target="<b>target</b>")
    CARegistration.objects.create(ca=device_ca, target="default", state="failed", error=hostile)
    CertificateProfile.objects.update(iot_provisioning="jitp")

    page = admin_client.get(INDEX).text

    assert "<script>alert" not in page
    assert "\u202e" not in page
    assert "<b>target" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_another_module_adds_a_panel_that_its_permission_shows(admin_client, fleet, monkeypatch):
    panel = Panel(
        title="Checks",
        read=lambda: [
            PanelLine(word="Failed", kind="bad", text="The clock is wrong.", todo="Set it.")
        ],
        permissions=("pki.view_job",),
        url_name="admin:pki_job_changelist",
    )
    monkeypatch.setattr(console, "panels", [panel])

    page = admin_client.get(INDEX).text

    assert "The clock is wrong." in page
    assert '<a href="/admin/pki/job/">Checks</a>' in page


def test_a_chart_is_text_for_those_who_see_no_picture():
    chart = bar_chart("Certificates", [("2026-12", 2), ("2027-01", 40)])

    assert 'role="img"' in chart
    assert "The most are 40 in 2027-01." in chart
    assert "style=" not in chart
    assert chart.count("<rect") == 2
    assert bar_chart("Certificates", [("2026-12", 0)]) == ""
