"""Registered CAs in the web admin, and on the page of the CA itself."""

from dataclasses import replace

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import reverse

from iotprov.conf import IoTTarget
from iotprov.models import CARegistration
from pki.authorities.succeed import make_successor
from pki.models import AuditEvent, CertificateAuthority
from tests.conftest import TESTER
from tests.support.aws_faults import EVERY_ATTEMPT, Fault, aws_calls, failing

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "admin:iotprov_caregistration_changelist"
REGISTER = "admin:iotprov_caregistration_register"
TARGETS = (IoTTarget("here"), IoTTarget("there", region="us-east-1"))


@pytest.fixture
def alice(installation, client, aws_cloud, settings):
    """A browser in which the superuser alice is signed in; two targets, no JITP."""
    settings.IOT = replace(settings.IOT, configure_jitp=False, targets=TARGETS)
    client.force_login(User.objects.create_superuser("alice"))
    return client


def page(row, name="change"):
    model = row._meta
    return reverse(f"admin:{model.app_label}_{model.model_name}_{name}", args=[row.pk])


def said(response):
    return [f"{message.level_tag}: {message}" for message in response.context["messages"]]


def test_every_active_ca_is_registered_everywhere(alice, device_ca):
    successor = make_successor(device_ca, actor=TESTER, reason="test")
    before = alice.get(reverse(LIST)).text
    asked = alice.get(reverse(REGISTER)).text

    done = alice.post(reverse(REGISTER), {"target": ""}, follow=True)

    assert f"{successor} at here, {successor} at there" in before
    assert f"{successor} at here: not registered yet." in asked
    assert {(row.ca, row.target, row.state) for row in CARegistration.objects.all()} == {
        (successor, "here", "registered"),
        (successor, "there", "registered"),
    }
    assert said(done) == [
        f"success: {successor} at here is registered, ACTIVE. "
        f"{successor} at there is registered, ACTIVE."
    ]
    assert "Not registered" not in done.text
    events = AuditEvent.objects.filter(action="register-ca")
    assert {event.actor for event in events} == {"admin:alice"}


@pytest.mark.parametrize("fault", [Fault.ACCESS_DENIED, Fault.THROTTLE, Fault.TIMEOUT])
def test_a_failure_is_a_message_and_stays_with_its_row(alice, device_ca, fault):
    with failing("iot", "RegisterCACertificate", fault, times=1, attempts=EVERY_ATTEMPT):
        done = alice.post(reverse(REGISTER), {"target": ""}, follow=True)

    fine, failed = said(done)
    assert fine == f"success: {device_ca} at there is registered, ACTIVE."
    assert failed.startswith(f"error: {device_ca} at here: iot:RegisterCACertificate at here ")
    assert done.status_code == 200
    row = CARegistration.objects.get(target="here")
    assert row.state == "failed"
    assert "Failed" in alice.get(page(row)).text

    again = alice.post(page(row, "register-again"), follow=True)

    assert said(again) == [f"success: {device_ca} at here is registered, ACTIVE."]
    row.refresh_from_db()
    assert (row.state, row.error) == ("registered", "")


def test_a_ca_is_registered_from_its_own_page(alice, device_ca, client_ca):
    assert page(device_ca, "register") in alice.get(page(device_ca)).text
    assert page(client_ca, "register") not in alice.get(page(client_ca)).text

    done = alice.post(page(device_ca, "register"), {"target": "there"}, follow=True)

    row = CARegistration.objects.get()
    assert (row.target, row.state) == ("there", "registered")
    assert page(row) in done.text
    refused = alice.post(page(client_ca, "register"), {"target": ""}, follow=True)
    assert "is a client CA" in said(refused)[0]
    assert CARegistration.objects.count() == 1


def test_comparing_says_what_registering_would_do_and_does_nothing(alice, device_ca):
    compare = reverse("admin:iotprov_caregistration_compare")
    alice.post(reverse(REGISTER), {"target": "here"})
    with aws_calls() as calls:
        alice.get(compare)
    assert calls == []

    known = CARegistration.objects.count()
    shown = alice.post(compare, {"target": ""})
    with failing("iot", "DescribeCACertificate", Fault.ACCESS_DENIED, times=1):
        failed = alice.post(compare, {"target": "here"})

    assert "is registered as it should be" in shown.context["result"]
    assert "would be registered, SNI_ONLY, no JITP" in shown.context["result"]
    assert "iot:DescribeCACertificate at here failed with AccessDen" in failed.context["result"]
    assert CARegistration.objects.count() == known


def test_without_an_active_device_ca_the_page_says_what_to_run(alice, device_ca):
    CertificateAuthority.objects.filter(pk=device_ca.pk).update(status="revoked")

    assert "manage.py bootstrap_cas" in alice.get(reverse(REGISTER)).text
    assert "Run bootstrap_cas first." in alice.post(reverse(REGISTER), {"target": ""}).text


def test_a_row_of_a_target_that_is_gone_offers_nothing(alice, device_ca):
    row = CARegistration.objects.create(ca=device_ca, target="gone", state="registered")

    assert page(row, "register-again") not in alice.get(page(row)).text
    answer = alice.post(page(row, "register-again"), follow=True)

    assert "has no target gone any more" in said(answer)[0]


def test_what_there_was_no_time_for_is_said(alice, device_ca, monkeypatch):
    monkeypatch.setattr("iotprov.admin.targets.WAIT", 0.0)

    done = alice.post(reverse(REGISTER), {"target": ""}, follow=True)

    assert [line.rpartition(": ")[2] for line in said(done)] == [
        "There was no time left. Register it again."
    ] * 2


def test_looking_asks_aws_nothing_and_costs_the_same_for_many(
    alice, device_ca, django_assert_max_num_queries
):
    for number in range(30):
        CARegistration.objects.create(ca=device_ca, target=f"t{number}", state="registered")

    with aws_calls() as calls, django_assert_max_num_queries(14):
        alice.get(reverse(LIST))
    alice.get(reverse(REGISTER))
    alice.get(page(device_ca))

    assert calls == []


@pytest.mark.parametrize("term", ["device", "there", "a" * 64, "AA:" * 31 + "AA"])
def test_a_registration_is_found_by_what_is_at_hand(alice, device_ca, term):
    CARegistration.objects.create(
        ca=device_ca, target="there", state="registered", certificate_id="a" * 64
    )

    assert "1 registered CA" in alice.get(reverse(LIST), {"q": term}).text


def test_a_viewer_registers_nothing(alice, client, device_ca):
    bob = User.objects.create_user("bob", is_staff=True)
    bob.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client.force_login(bob)
    row = CARegistration.objects.create(ca=device_ca, target="here", state="registered")

    shown = client.get(page(device_ca)).text

    assert page(device_ca, "register") not in shown
    assert page(row) in shown
    answers = [
        client.post(reverse(REGISTER), {"target": ""}),
        client.post(page(row, "register-again")),
        client.post(page(device_ca, "register"), {"target": ""}),
    ]
    assert [answer.status_code for answer in answers] == [403] * 3
