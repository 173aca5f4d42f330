"""The roll of a CA: its steps follow from the record, and one button leads to the next."""

import json
from dataclasses import replace
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from estserver.console.authorities.ca_roll import roll_of
from estserver.models import TruststorePush
from iotprov.models import CARegistration
from pki.authorities.distrust import retire_authority
from pki.authorities.succeed import make_successor
from pki.models import IssuedCertificate
from pki.signers.keyfile import KeyFileSigner
from tests.conftest import TESTER
from tests.support.builders import make_csr

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def alice(client):
    client.force_login(User.objects.create_superuser("alice"))
    return client


@pytest.fixture
def behind_gateway(settings):
    """A domain with mutual TLS in the configuration."""
    properties = replace(settings.CONFIG.properties, api_custom_domain_name="est.example.com")
    settings.CONFIG = replace(settings.CONFIG, properties=properties)


def states(ca):
    ca.refresh_from_db()
    return {step.title: step.state.value for step in roll_of(ca).steps}


def titles_of_next(ca):
    ca.refresh_from_db()
    step = roll_of(ca).next
    return step and (step.title, step.state.value)


def page(client, ca):
    return client.get(reverse("admin:console_ca_roll", args=[ca.pk])).text


def test_a_roll_goes_from_step_to_step_and_ends_with_the_retirement(
    device_ca, est_client, change_default_profile, behind_gateway
):
    est_client.simpleenroll(make_csr("sensor-1"))
    change_default_profile(iot_provisioning="register")
    assert titles_of_next(device_ca) == ("Make the successor", "Next")

    successor = make_successor(device_ca, actor=TESTER, reason="planned")
    assert titles_of_next(device_ca) == ("Register in AWS IoT", "Next")
    CARegistration.objects.create(ca=successor, target="default", state="registered")
    assert titles_of_next(device_ca) == ("Push the truststore", "Next")
    TruststorePush.objects.create(
        domain="est.example.com", uri="s3://b/truststore.pem", version_id="1", sha256="0" * 64,
        certificate_count=3, reason="roll", pushed_by="alice", activated_at=timezone.now(),
    )  # fmt: skip
    assert titles_of_next(device_ca) == ("The fleet moves", "Waiting")
    IssuedCertificate.objects.filter(ca=device_ca).update(ca=successor)
    assert titles_of_next(device_ca) == ("Retire the old CA", "Next")
    retire_authority(device_ca, reason="moved", actor=TESTER)
    assert titles_of_next(device_ca) is None
    assert roll_of(device_ca).place == "The roll is complete."


def test_only_one_step_is_open_and_the_others_come_later(device_ca, change_default_profile):
    change_default_profile(iot_provisioning="register")

    found = states(device_ca)

    assert [title for title, state in found.items() if state in ("Next", "Waiting")] == [
        "Make the successor"
    ]
    assert found["Register in AWS IoT"] == "Later"


def test_what_an_installation_does_not_have_is_not_needed(device_ca):
    make_successor(device_ca, actor=TESTER, reason="planned")

    found = states(device_ca)

    assert found["Register in AWS IoT"] == "Not needed"
    assert found["Push the truststore"] == "Not needed"


def test_a_push_from_before_the_successor_does_not_count(device_ca, behind_gateway):
    TruststorePush.objects.create(
        domain="est.example.com", uri="s3://b/truststore.pem", version_id="1", sha256="0" * 64,
        certificate_count=2, reason="first", pushed_by="alice", activated_at=timezone.now(),
    )  # fmt: skip
    make_successor(device_ca, actor=TESTER, reason="planned")

    assert states(device_ca)["Push the truststore"] == "Next"


def test_the_button_leads_to_the_operation_and_the_operation_back(device_ca, alice):
    url = reverse("admin:pki_certificateauthority_successor", args=[device_ca.pk])
    roll = reverse("admin:console_ca_roll", args=[device_ca.pk])
    assert f'id="next-step" href="{url}?back=%2Fadmin%2Fcas%2F{device_ca.pk}%2Froll%2F"' in page(
        alice, device_ca
    )

    answer = alice.post(f"{url}?back={roll}", {"name": device_ca.name, "reason": "planned"})

    assert answer["Location"] == roll
    successor = device_ca.successors.get()
    for ca in (device_ca, successor):  # either leads to the same roll, which survives a reload
        assert "Publish both" in page(alice, ca)
        assert f"Roll {device_ca.name}" in page(alice, ca)


def test_the_share_of_the_fleet_is_shown_with_the_list_of_what_is_left(
    device_ca, est_client, alice
):
    est_client.simpleenroll(make_csr("sensor-1"))
    make_successor(device_ca, actor=TESTER, reason="planned")

    shown = page(alice, device_ca)

    assert "0 % moved" in shown
    assert f"ca__id__exact={device_ca.pk}" in shown


def test_the_page_of_a_ca_leads_to_its_roll(device_ca, alice):
    shown = alice.get(reverse("admin:pki_certificateauthority_change", args=[device_ca.pk])).text

    assert reverse("admin:console_ca_roll", args=[device_ca.pk]) in shown


def test_T55_a_key_that_a_deployment_makes_is_a_step_with_its_command(
    device_ca, alice, monkeypatch
):
    monkeypatch.setattr(KeyFileSigner, "lacks_key", lambda self, name: True)
    command = "manage.py aws_deploy --successor-key device-ca"

    assert titles_of_next(device_ca) == ("A key for the successor", "Waiting")
    assert f"<code>{command}</code>" in page(alice, device_ca)
    out = StringIO()
    call_command("ca_roll", "device-ca", stdout=out)
    assert f"   {command}\n" in out.getvalue()
    assert "aws_deploy" not in page(alice, make_successor_of(device_ca, monkeypatch))


def make_successor_of(ca, monkeypatch):
    """The successor, once the deployment has made the key."""
    monkeypatch.setattr(KeyFileSigner, "lacks_key", lambda self, name: False)
    return make_successor(ca, actor=TESTER, reason="planned")


def test_the_command_prints_the_steps_and_the_next_command(device_ca):
    out = StringIO()
    call_command("ca_roll", "device-ca", stdout=out)
    assert "manage.py ca_successor device-ca --reason ..." in out.getvalue()
    assert out.getvalue().endswith("Step 2 of 7: Make the successor\n")

    out = StringIO()
    call_command("ca_roll", "device-ca", "--json", stdout=out)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["state"] for line in lines[:3]] == ["done", "next", "later"]
    with pytest.raises(CommandError, match=r"There is no CA 'nobody'\. Known CAs: "):
        call_command("ca_roll", "nobody")
