"""The box that says whether something would be refused agrees with what an enrollment does."""

import io
import json

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from pki.denylist.entries import deny
from pki.denylist.kinds import KINDS
from pki.denylist.verdict import denylist_verdict
from pki.models import AuditEvent, DenylistEntry, IssuedCertificate
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor
from tests.support.builders import make_csr, make_key

pytestmark = pytest.mark.django_db(transaction=True)

OPERATOR = Actor("command:tester")
ADD = "/admin/pki/denylistentry/add/"
CHECK = "/admin/pki/denylistentry/check/"


@pytest.fixture
def certificate(est_client):
    """A device's certificate."""
    est_client.simpleenroll(make_csr("Sensor-1", serial_number="SN:1"))
    return IssuedCertificate.objects.get(common_name="Sensor-1")


@pytest.fixture
def alice(installation, client):
    """A browser in which the superuser alice is signed in."""
    client.force_login(User.objects.create_superuser("alice"))
    return client


def value_of(kind, row):
    return {
        "name": "sensor-1", "device-serial": "sn:1", "key": row.key_sha256,
        "fingerprint": row.fingerprint_sha256, "serial": row.serial_number,
        "client": row.client_fingerprint,
    }[kind]  # fmt: skip


@pytest.mark.parametrize("kind", [kind.value for kind in KINDS])
def test_the_verdict_on_a_device_is_what_its_renewal_gets(certificate, est_client, kind):
    deny(kind, value_of(kind, certificate), reason="stolen", actor=OPERATOR)

    # By its own value, by the device's name, and by its certificate.
    for typed in (value_of(kind, certificate), "SENSOR-1", certificate.pem):
        (denial,) = denylist_verdict(typed).denials
        assert denial.entry.kind == kind
        assert denial.live >= 1
    renewal = est_client.simplereenroll(make_csr("Sensor-1", serial_number="SN:1"))
    assert renewal.status_code == 403
    assert renewal.text.startswith(denial.refused)


@pytest.mark.parametrize("kind", [kind.value for kind in KINDS])
def test_what_no_entry_names_is_not_refused(certificate, est_client, kind):
    deny("name", "another", reason="stolen", actor=OPERATOR)

    assert denylist_verdict(value_of(kind, certificate)).denials == ()
    assert denylist_verdict("Sensor-1").denials == ()


def test_an_expired_entry_refuses_nothing(certificate):
    DenylistEntry.objects.create(
        kind="name", value="sensor-1", reason="x", created_by="y",
        expires_at=certificate.created_at,
    )  # fmt: skip

    assert denylist_verdict("sensor-1").denials == ()


def test_a_csr_is_judged_by_its_key_and_names(certificate):
    deny("key", certificate.key_sha256, reason="leaked", actor=OPERATOR)
    import base64

    csr = base64.b64encode(make_csr("other-name", key=make_key())).decode()

    (denial,) = denylist_verdict(csr).denials

    assert denial.entry.kind == "key"


@pytest.mark.parametrize("typed", ["", "  ", "x" * 2000, "a\0b"])
def test_a_text_that_is_nothing_is_refused_in_words(installation, typed):
    with pytest.raises(OperatorError, match=r"^The text has \d+ characters\."):
        denylist_verdict(typed)


def test_the_page_answers_and_changes_nothing(alice, certificate):
    deny("name", "sensor-1", reason="stolen <b>", actor=OPERATOR)
    events = AuditEvent.objects.count()

    refused = alice.post(CHECK, {"asked": "Sensor-1"}).text
    fine = alice.post(CHECK, {"asked": "sensor-2"}).text

    assert "device-denied: The denylist names this thing name." in refused
    assert "stolen &lt;b&gt;" in refused
    assert "No entry in force names" in fine
    assert AuditEvent.objects.count() == events


def test_T64_the_page_refuses_a_private_key_and_does_not_show_it_again(alice):
    key = make_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    shown = alice.post(CHECK, {"asked": key}).text

    assert "That is a private key. It was not read" in shown
    assert key.splitlines()[1] not in shown


def test_the_command_says_it_in_text_and_json(certificate):
    deny("name", "sensor-1", reason="stolen", actor=OPERATOR)
    out = io.StringIO()

    with pytest.raises(CommandError, match="It would be refused") as refusal:
        call_command("deny_check", "sensor-1", "--json", stdout=out)
    said = json.loads(out.getvalue())
    assert refusal.value.returncode == 1
    assert said["is_refused"]
    assert said["denials"][0]["reason"] == "stolen"
    out = io.StringIO()
    call_command("deny_check", "sensor-2", stdout=out)
    assert "no entry in force names it" in out.getvalue()


def test_a_deny_revokes_along_when_it_is_asked_to(alice, certificate):
    answer = alice.post(
        ADD, {"kind": "name", "value": "sensor-1", "reason": "stolen", "is_revoking": "on"},
        follow=True,
    )  # fmt: skip

    certificate.refresh_from_db()
    assert (certificate.state, certificate.revocation_reason) == ("revoked", "privilegeWithdrawn")
    assert "Live certificates revoked: 1." in answer.text


def test_a_person_who_may_not_revoke_cannot_revoke_along(certificate):
    carol = User.objects.create_user("carol", is_staff=True)
    for codename in ("add_denylistentry", "view_denylistentry"):
        carol.user_permissions.add(Permission.objects.get(codename=codename))
    browser = Client()
    browser.force_login(carol)
    assert "is_revoking" not in browser.get(ADD).text

    browser.post(
        ADD, {"kind": "name", "value": "sensor-1", "reason": "stolen", "is_revoking": "on"}
    )

    certificate.refresh_from_db()
    assert certificate.state == "issued"
    assert DenylistEntry.objects.count() == 1
