"""The outbox in the web admin: is my fleet all right, and what to do when it isn't."""

import datetime
import uuid

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from iotprov.admin.provisioning import ProvisioningAdmin
from iotprov.models import Provisioning
from pki.models import AuditEvent, IssuedCertificate
from pki.revocation.revoke import revoke_certificate
from tests.conftest import TESTER
from tests.iotprov.cloud import active, record
from tests.support.aws_faults import ALWAYS, Fault, Refusal, aws_calls, failing
from tests.support.builders import make_csr, make_key

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "admin:iotprov_provisioning_changelist"


@pytest.fixture
def alice(installation, client):
    """A browser in which the superuser alice is signed in."""
    client.force_login(User.objects.create_superuser("alice"))
    return client


@pytest.fixture
def enroll(est_client):
    """Enroll a name; returns its row."""

    def send(name="sensor-1", key=0):
        return record(est_client.simpleenroll(make_csr(name, key=make_key(index=key))).certificate)

    return send


@pytest.fixture
def stuck(cloud, in_mode, enroll):
    """A certificate that AWS IoT couldn't be told of."""
    in_mode("register")
    with failing("iot", "RegisterCertificate", Fault.ACCESS_DENIED, times=ALWAYS):
        enroll()
    row = Provisioning.objects.get()
    assert row.error
    return row


def page(row, name="change"):
    model = row._meta
    return reverse(f"admin:{model.app_label}_{model.model_name}_{name}", args=[row.pk])


def said(response):
    return [f"{message.level_tag}: {message}" for message in response.context["messages"]]


def fill(certificate, count, **values):
    """Rows of so many targets."""
    Provisioning.objects.bulk_create(
        Provisioning(certificate=certificate, target=f"t{number}", **values)
        for number in range(count)
    )


def copy_of(certificate, number):
    """Another certificate like it, on record only."""
    free = ("fingerprint_sha256", "name_owner", "key_owner", "current_name", "request_key")
    copy = IssuedCertificate.objects.get(pk=certificate.pk)
    copy.pk, copy.serial_number = uuid.uuid4(), f"{number:x}"
    for name in free:
        setattr(copy, name, None)
    return copy


def test_the_list_says_whether_the_fleet_is_all_right(alice, enroll, clock):
    certificate = enroll()
    now = timezone.now()
    later = now + datetime.timedelta(days=1)
    Provisioning.objects.create(
        certificate=certificate, target="default", state="settled",
        next_attempt_at=later, pending_since=None,
    )  # fmt: skip
    assert "All right" in alice.get(reverse(LIST)).text

    fill(certificate, 2, error="because", pending_since=now - datetime.timedelta(hours=3))
    fine = alice.get(reverse(LIST)).text
    Provisioning.objects.filter(target="t1").update(state="parked")
    parked = alice.get(reverse(LIST)).text

    assert "Late" in fine
    assert "3 h 0 min" in fine
    assert "Needs a person" in parked
    assert f"{reverse(LIST)}?target=t1&amp;state__exact=parked" in parked


def test_a_row_shows_what_is_wanted_and_what_aws_holds(alice, cloud, in_mode, enroll):
    in_mode("register")
    certificate = enroll()
    row = Provisioning.objects.get()

    settled = alice.get(page(row)).text
    revoke_certificate(certificate, reason="keyCompromise", comment="", actor=TESTER)
    revoked = alice.get(page(row)).text

    assert "ACTIVE, attached to the thing and policy of the template" in settled
    assert row.aws_certificate_id in settled
    assert "Up to date" in settled
    assert "REVOKED, attached to nothing" in revoked
    assert page(certificate) in settled


def test_the_page_of_a_certificate_links_to_its_provisioning(alice, stuck):
    shown = alice.get(page(stuck.certificate)).text

    assert page(stuck) in shown
    assert "Failing" in shown
    preview = reverse("admin:iotprov_templateversion_preview")
    assert f"{preview}?serial={stuck.certificate.fingerprint_sha256}" in shown


def test_retry_works_on_it_at_once(alice, cloud, stuck):
    assert "AccessDenied" in alice.get(page(stuck, "retry")).text

    done = alice.post(page(stuck, "retry"), {"reason": "the role is mended"}, follow=True)

    assert said(done)[0].startswith("success: AWS IoT at default agrees")
    cloud.check_agreement({stuck.certificate: active("sensor-1")})
    event = AuditEvent.objects.get(action="provisioning-retry")
    assert (event.actor, event.reason) == ("admin:alice", "the role is mended")
    assert "provisioning-retry" in alice.get(page(stuck, "history"), follow=True).text


@pytest.mark.parametrize("fault", [Fault.ACCESS_DENIED, Fault.TIMEOUT, Fault.THROTTLE])
def test_a_retry_that_fails_again_is_a_message_and_loses_nothing(alice, stuck, fault):
    with failing("iot", "RegisterCertificate", fault, times=ALWAYS):
        done = alice.post(page(stuck, "retry"), {"reason": ""}, follow=True)

    assert done.status_code == 200
    assert said(done)[0].startswith("error: It failed again: iot:RegisterCertificate failed with ")
    stuck.refresh_from_db()
    assert (stuck.state, stuck.lease) == ("pending", None)
    assert stuck.next_attempt_at is not None


def test_a_retry_while_another_works_on_it_makes_it_due(alice, stuck):
    Provisioning.objects.filter(pk=stuck.pk).update(
        lease=uuid.uuid4(), leased_until=timezone.now() + datetime.timedelta(minutes=1)
    )

    done = alice.post(page(stuck, "retry"), {"reason": ""}, follow=True)

    assert "goes on with the next run of provision_pending" in said(done)[0]


def test_parking_needs_a_reason_and_a_retry_ends_it(alice, cloud, stuck):
    alice.post(page(stuck, "park"), {"reason": ""})
    stuck.refresh_from_db()
    assert stuck.state == "pending"

    alice.post(page(stuck, "park"), {"reason": "the account is closed"})
    stuck.refresh_from_db()
    assert (stuck.state, stuck.next_attempt_at) == ("parked", None)
    assert "the account is closed" in alice.get(page(stuck)).text
    assert page(stuck, "park") not in alice.get(page(stuck)).text
    alice.post(page(stuck, "retry"), {"reason": ""})

    stuck.refresh_from_db()
    assert stuck.state == "settled"
    assert AuditEvent.objects.get(action="provisioning-park").actor == "admin:alice"


def test_selected_rows_are_retried_and_parked_together(alice, enroll):
    certificate = enroll()
    fill(certificate, 3, state="parked", next_attempt_at=None)
    keys = [str(row.pk) for row in Provisioning.objects.exclude(target="t2")]
    chosen = {"action": "retry_selected", "_selected_action": keys}
    with aws_calls() as calls:
        asked = alice.post(reverse(LIST), chosen)
        assert "They become due at once, 2: " in asked.text
        assert "This field is required" not in asked.text
        assert Provisioning.objects.pending().count() == 0
        done = alice.post(reverse(LIST), {**chosen, "confirmed": "yes", "reason": ""}, follow=True)
    assert calls == []
    assert said(done) == ["success: Due now: 2."]
    assert Provisioning.objects.pending().count() == 2

    chosen["action"] = "park_selected"
    alice.post(reverse(LIST), {**chosen, "confirmed": "yes", "reason": ""})
    assert Provisioning.objects.parked().count() == 1
    alice.post(reverse(LIST), {**chosen, "confirmed": "yes", "reason": "wait"})
    again = alice.post(reverse(LIST), chosen, follow=True)

    assert Provisioning.objects.parked().count() == 3
    assert said(again)[-1] == "error: None of the selected rows allows it."


@pytest.mark.parametrize("is_due", [True, False])
def test_what_is_due_is_worked_on_and_what_waits_if_asked(alice, cloud, stuck, is_due):
    work = reverse("admin:iotprov_provisioning_work")
    if is_due:
        Provisioning.objects.update(next_attempt_at=timezone.now())
    assert f"Rows due now: {is_due:d}." in alice.get(work).text

    asked = {"target": "default"} if is_due else {"target": "default", "hurry": "on"}
    done = alice.post(work, asked, follow=True)

    assert said(done) == ["success: Settled 1, postponed 0, parked 0."]
    assert Provisioning.objects.get().state == "settled"
    cloud.check_agreement({stuck.certificate: active("sensor-1")})


def test_work_that_fails_says_what_failed(alice, stuck):
    Provisioning.objects.update(next_attempt_at=timezone.now())
    with failing("iot", "RegisterCertificate", Refusal("UnauthorizedException", 401), times=ALWAYS):
        done = alice.post(reverse("admin:iotprov_provisioning_work"), {"target": ""}, follow=True)

    fine, failed = said(done)
    assert fine == "success: Settled 0, postponed 1, parked 0."
    assert failed.startswith("error: iot:RegisterCertificate failed with UnauthorizedException")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"state__exact": "parked"}, {"t1"}),
        ({"target": "t2"}, {"t2"}),
        ({"target": "nowhere"}, set()),
        ({"waiting": "overdue"}, {"t0"}),
        ({"waiting": "late"}, {"t0"}),
        ({"waiting": "failing"}, {"t2"}),
        ({"waiting": "due"}, {"t0", "t2"}),
    ],
)
def test_rows_are_filtered(alice, enroll, query, expected):
    certificate = enroll()
    fill(certificate, 4, state="settled", next_attempt_at=None)
    rows, hours = Provisioning.objects, datetime.timedelta(hours=2)
    past = timezone.now() - hours
    rows.filter(target="t0").update(state="pending", next_attempt_at=past, pending_since=past)
    rows.filter(target="t1").update(state="parked")
    rows.filter(target="t2").update(state="pending", attempts=2, next_attempt_at=timezone.now())

    shown = alice.get(reverse(LIST), query)

    assert {row.target for row in shown.context["cl"].result_list} == expected


def test_a_row_is_found_by_thing_name_serial_number_and_certificate_id(alice, enroll):
    certificate = enroll("sensor-1")
    enroll("gateway-1", key=1)
    fill(certificate, 1, thing_name="the-thing")
    terms = [
        "sensor-1", "SENSOR", "the-th", certificate.serial_number,
        str(int(certificate.serial_number, 16)), certificate.fingerprint_sha256,
    ]  # fmt: skip

    for term in terms:
        assert "1 certificate for AWS IoT" in alice.get(reverse(LIST), {"q": term}).text, term
    for term in ["gateway-1", "nothing", "f" * 64]:
        assert "0 certificates for AWS IoT" in alice.get(reverse(LIST), {"q": term}).text, term


def test_a_list_costs_the_same_for_many_rows_and_reads_no_certificate_bytes(
    alice, enroll, django_assert_max_num_queries
):
    certificate = enroll()
    others = [copy_of(certificate, number) for number in range(60)]
    IssuedCertificate.objects.bulk_create(others)
    Provisioning.objects.bulk_create(
        Provisioning(certificate=one, target="default", error="because") for one in others
    )

    with django_assert_max_num_queries(12), CaptureQueriesContext(connection) as queries:
        alice.get(reverse(LIST))

    assert not [query for query in queries if '"csr_der"' in query["sql"]]


@pytest.mark.skipif("sqlite" not in connection.settings_dict["ENGINE"], reason="SQLite's words")
@pytest.mark.parametrize("term", ["sensor-1", "4a5b", "f" * 64])
def test_a_search_walks_no_table(installation, rf, term):
    from django.contrib import admin

    model_admin = ProvisioningAdmin(Provisioning, admin.site)
    rows, _ = model_admin.get_search_results(rf.get("/"), Provisioning.objects.order_by(), term)

    plan = rows.explain()

    assert "SCAN" not in plan, plan


def test_a_viewer_sees_everything_and_does_nothing(client, enroll):
    certificate = enroll()
    fill(certificate, 1)
    row = Provisioning.objects.get()
    bob = User.objects.create_user("bob", is_staff=True)
    bob.user_permissions.set(Permission.objects.filter(codename="view_provisioning"))
    client.force_login(bob)

    shown = client.get(reverse(LIST)).text + client.get(page(row)).text

    assert "retry_selected" not in shown
    assert page(row, "retry") not in shown
    answers = [
        client.post(page(row, "retry"), {"reason": "x"}),
        client.post(page(row, "park"), {"reason": "x"}),
        client.post(reverse("admin:iotprov_provisioning_work"), {"target": ""}),
    ]
    assert [answer.status_code for answer in answers] == [403] * 3
    client.post(
        reverse(LIST),
        {"action": "park_selected", "_selected_action": [str(row.pk)], "confirmed": "yes",
         "reason": "x"},
    )  # fmt: skip
    row.refresh_from_db()
    assert row.state == "pending"
    assert IssuedCertificate.objects.exists()
