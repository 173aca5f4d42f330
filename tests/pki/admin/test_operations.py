"""What operators do in the web admin: the services' work, on the audit trail, under their name.

Transactions are real here: the services insist on being the outermost, which Django's TestCase
would not show.
"""

import datetime

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import reverse
from django.utils import timezone

from estserver.models import PendingHook
from pki.models import (
    AuditEvent,
    CertificateAuthority,
    CertificateProfile,
    DenylistEntry,
    IssuedCertificate,
)
from tests.support.builders import make_csr, make_key

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def alice(installation, client):
    """A browser in which the superuser alice is signed in."""
    client.force_login(User.objects.create_superuser("alice"))
    return client


@pytest.fixture
def enroll(est_client):
    """Enroll a device and return its row."""

    def enroll(name="sensor-1", index=0):
        response = est_client.simpleenroll(make_csr(name, key=make_key(index=index)))
        serial = f"{response.certificate.serial_number:x}"
        return IssuedCertificate.objects.get(serial_number=serial)

    return enroll


def page(row, operation="change"):
    """The URL of a row's page."""
    model = row._meta
    return reverse(f"admin:{model.app_label}_{model.model_name}_{operation}", args=[row.pk])


def last_event(action):
    return AuditEvent.objects.filter(action=action).latest("at")


def said(response):
    return " ".join(str(message) for message in response.context["messages"])


def test_revoke_names_what_is_lost_and_is_on_the_trail(alice, enroll):
    certificate = enroll()
    asked = alice.get(page(certificate, "revoke"))
    assert "sensor-1 loses its last certificate" in asked.text
    assert "the key goes on the denylist for good" in asked.text
    assert 'value="certificateHold"' not in asked.text
    assert "A denylist entry with an end is a hold." in asked.text

    done = alice.post(
        page(certificate, "revoke"),
        {"reason": "keyCompromise", "comment": "stolen from the lab"},
        follow=True,
    )

    certificate.refresh_from_db()
    assert certificate.state == IssuedCertificate.State.REVOKED
    assert certificate.revocation_reason == "keyCompromise"
    event = last_event("revoke")
    assert (event.actor, event.source_ip) == ("admin:alice", "127.0.0.1")
    assert event.reason == "keyCompromise: stolen from the lab"
    assert "is revoked" in said(done)
    entry = DenylistEntry.objects.get(kind="key", value=certificate.key_sha256)
    assert (entry.created_by, entry.expires_at) == ("admin:alice", None)
    assert entry.reason.startswith(f"keyCompromise: certificate {certificate.serial_number}")


@pytest.mark.parametrize("reason", ["", "because", "removeFromCRL", "certificateHold"])
def test_revoke_needs_a_reason_of_rfc_5280(alice, enroll, reason):
    certificate = enroll()

    response = alice.post(page(certificate, "revoke"), {"reason": reason})

    assert response.status_code == 200
    certificate.refresh_from_db()
    assert certificate.state == IssuedCertificate.State.ISSUED


def test_what_is_revoked_already_offers_no_revocation(alice, enroll):
    certificate = enroll()
    alice.post(page(certificate, "revoke"), {"reason": "superseded"})

    assert page(certificate, "revoke") not in alice.get(page(certificate)).text
    again = alice.post(page(certificate, "revoke"), {"reason": "keyCompromise"}, follow=True)

    assert "revoked already" in said(again)
    certificate.refresh_from_db()
    assert certificate.revocation_reason == "superseded"


def test_selected_certificates_are_revoked_when_their_number_is_typed(alice, enroll):
    rows = [enroll(f"sensor-{index}", index) for index in range(3)]
    chosen = {"action": "revoke_selected", "_selected_action": [str(row.pk) for row in rows[:2]]}
    url = reverse("admin:pki_issuedcertificate_changelist")
    assert "2 certificates of 2 names" in alice.post(url, chosen).text

    answer = {**chosen, "confirmed": "yes", "reason": "cessationOfOperation"}
    alice.post(url, {**answer, "count": 3})
    assert not IssuedCertificate.objects.filter(state="revoked").exists()
    done = alice.post(url, {**answer, "count": 2}, follow=True)

    assert "2 certificates revoked" in said(done)
    states = [IssuedCertificate.objects.get(pk=row.pk).state for row in rows]
    assert states == ["revoked", "revoked", "issued"]


def test_deny_stops_the_device_and_allow_lets_it_in(alice, est_client, enroll):
    certificate = enroll()
    prefilled = alice.get(page(certificate, "deny"), follow=True)
    assert "1 live certificate matches and stays valid" in prefilled.text

    add = reverse("admin:pki_denylistentry_add")
    done = alice.post(add, {"kind": "name", "value": "SENSOR-1", "reason": "stolen"}, follow=True)
    entry = DenylistEntry.objects.get()
    assert (entry.value, entry.created_by) == ("sensor-1", "admin:alice")
    assert "1 live certificate matches" in said(done)
    assert est_client.simplereenroll(make_csr("sensor-1")).reason == "device-denied"
    assert "Denied" in alice.get(page(certificate)).text

    alice.post(page(entry, "allow"), {"reason": ""})
    assert DenylistEntry.objects.exists()
    alice.post(page(entry, "allow"), {"reason": "found again"})
    assert not DenylistEntry.objects.exists()
    assert last_event("allow").reason == "found again"
    assert est_client.simplereenroll(make_csr("sensor-1")).status_code == 200


@pytest.mark.parametrize(
    ("kind", "value", "complaint"),
    [
        ("key", "abc", "64 hexadecimal digits"),
        ("serial", "xyz", "is not a serial number"),
        ("name", "  ", "This field is required"),
    ],
)
def test_a_value_of_the_wrong_form_is_refused_beside_its_field(alice, kind, value, complaint):
    terms = {"kind": kind, "value": value, "reason": "test"}

    response = alice.post(reverse("admin:pki_denylistentry_add"), terms)

    assert complaint in response.text
    assert not DenylistEntry.objects.exists()


def test_denial_gets_new_terms_in_utc(alice):
    add = reverse("admin:pki_denylistentry_add")
    alice.post(add, {"kind": "name", "value": "sensor-1", "reason": "in repair"})
    entry = DenylistEntry.objects.get()
    over = {"reason": "in repair", "expires_at": "2020-01-01T00:00"}
    assert "This time is in the past." in alice.post(page(entry, "terms"), over).text

    alice.post(
        page(entry, "terms"), {"reason": "still in repair", "expires_at": "2099-01-02T03:04"}
    )

    entry.refresh_from_db()
    assert entry.reason == "still in repair"
    assert entry.expires_at == datetime.datetime(2099, 1, 2, 3, 4, tzinfo=datetime.UTC)
    assert last_event("deny").before == {"reason": "in repair", "expires_at": None}


def test_T54_the_page_names_the_terms_of_an_entry_and_changes_it_when_told(alice):
    add = reverse("admin:pki_denylistentry_add")
    alice.post(add, {"kind": "name", "value": "sensor-1", "reason": "stolen"})
    ending = {
        "kind": "name",
        "value": "sensor-1",
        "reason": "lent",
        "expires_at": "2099-01-02T03:04",
    }

    refused = alice.post(add, ending)

    assert "is on the denylist already" in refused.text
    assert "for good, by admin:alice" in refused.text
    assert DenylistEntry.objects.get().reason == "stolen"
    asked = alice.get(add, {"kind": "name", "value": "sensor-1"})
    assert "is on the denylist already" in asked.text
    alice.post(add, {**ending, "is_replacing": "on"})
    assert DenylistEntry.objects.get().reason == "lent"


def test_T54_the_right_to_add_an_entry_changes_none(alice, client):
    add = reverse("admin:pki_denylistentry_add")
    alice.post(add, {"kind": "name", "value": "sensor-1", "reason": "stolen"})
    bob = User.objects.create_user("bob", is_staff=True)
    bob.user_permissions.set(Permission.objects.filter(codename="add_denylistentry"))
    client.force_login(bob)
    assert "is_replacing" not in client.get(add).text

    terms = {"kind": "name", "value": "sensor-1", "reason": "mine", "is_replacing": "on"}
    refused = client.post(add, {**terms, "expires_at": "2099-01-02T03:04"})

    assert "is on the denylist already" in refused.text
    entry = DenylistEntry.objects.get()
    assert (entry.reason, entry.expires_at) == ("stolen", None)


def profile_form(response, **changes):
    """What a browser would send back from the page, with ``changes``."""
    form = response.context["form"]
    filled = {}
    for name in form.fields:
        value = form[name].value()
        if value is not None and value is not False and value != "":
            filled[name] = value
    return {**filled, **changes}


def test_a_profile_changes_by_a_new_version_with_a_reason(alice):
    profile = CertificateProfile.objects.get()
    url = page(profile, "new-version")
    filled = profile_form(
        alice.get(url),
        validity_days=90,
        key_algorithms=["rsa-2048", "ec-p256"],
        identity_rule="allow-list",
        allowed_names="sensor-1\n\n sensor-2 \n",
    )
    assert "This field is required" in alice.post(url, filled).text
    assert CertificateProfile.objects.count() == 1

    alice.post(url, {**filled, "reason": "shorter lives"})

    new = CertificateProfile.objects.get(active_label="")
    assert (new.version, new.validity_days) == (2, 90)
    assert sorted(new.key_algorithms) == ["ec-p256", "rsa-2048"]
    assert new.allowed_names == ["sensor-1", "sensor-2"]
    event = last_event("change-profile")
    assert (event.actor, event.reason) == ("admin:alice", "shorter lives")
    assert {*event.after} == {
        "version", "validity_days", "key_algorithms", "identity_rule", "allowed_names"
    }  # fmt: skip


def test_T61_of_two_windows_the_second_is_refused_and_keeps_what_was_typed(alice):
    url = page(CertificateProfile.objects.get(), "new-version")
    mine = {**profile_form(alice.get(url), validity_days=90), "reason": "mine"}
    alice.post(url, {**mine, "validity_days": 30, "reason": "theirs"})

    refused = alice.post(url, mine)

    assert "default v1 is not in force any more. Look at the newest version first." in refused.text
    assert refused.context["form"]["validity_days"].value() == "90"
    assert refused.context["form"]["reason"].value() == "mine"
    assert CertificateProfile.objects.get(active_label="").validity_days == 30


def test_a_profile_form_sent_back_as_it_was_makes_no_version(alice):
    profile = CertificateProfile.objects.get()
    filled = profile_form(alice.get(page(profile, "new-version")), reason="nothing")

    done = alice.post(page(profile, "new-version"), filled, follow=True)

    assert "Nothing differs" in said(done)
    assert CertificateProfile.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "field", "complaint"),
    [
        (
            {"identity_rule": "pattern", "identity_pattern": "("},
            "identity_pattern",
            "not a regular expression",
        ),
        (
            {"csrattrs": "1.2.840.10045.2.1=1.2.840.10045.3.1.7\nsha256"},
            "csrattrs",
            "'sha256' is not an object identifier",
        ),
        ({"csrattrs": "1.99.1"}, "csrattrs", "1.99.1"),
        ({"allowed_names": "sensor 1"}, "allowed_names", "thing name"),
        ({"label": "simpleenroll"}, "label", "is an EST operation"),
        ({"validity_days": "0"}, "validity_days", "greater than or equal to 1"),
    ],
)
def test_a_profile_that_no_device_could_meet_is_refused(alice, changes, field, complaint):
    url = page(CertificateProfile.objects.get(), "new-version")
    filled = profile_form(alice.get(url), reason="test", **changes)

    response = alice.post(url, filled)

    assert complaint in response.text.replace("&#x27;", "'")
    assert complaint in " ".join(response.context["form"].errors[field])
    assert CertificateProfile.objects.count() == 1


def test_a_second_profile_answers_under_its_label(alice, est_client):
    url = reverse("admin:pki_certificateprofile_add")
    ca = CertificateAuthority.objects.device().get()
    filled = profile_form(alice.get(url), name="gateways", label="gateways", ca=str(ca.pk))

    alice.post(url, {**filled, "csrattrs": "1.2.840.10045.4.3.2"})

    assert est_client.at("gateways").csrattrs().status_code == 200
    assert last_event("add-profile").actor == "admin:alice"


def test_a_ca_is_succeeded_when_its_name_is_typed(alice, enroll):
    enroll()
    ca = CertificateAuthority.objects.device().get()
    asked = alice.get(page(ca, "successor"))
    assert "still live (1)" in asked.text
    assert "default v1" in asked.text
    alice.post(page(ca, "successor"), {"name": "client-ca", "reason": "rollover"})
    assert CertificateAuthority.objects.device().count() == 1

    alice.post(page(ca, "successor"), {"name": "device-ca", "reason": "rollover"})

    successor = CertificateAuthority.objects.get(successor_of=ca)
    ca.refresh_from_db()
    assert (successor.status, ca.status) == ("active", "retiring")
    assert CertificateProfile.objects.get(active_label="").ca == successor
    event = last_event("succeed-ca")
    assert (event.actor, event.reason) == ("admin:alice", "rollover")
    assert page(ca, "successor") not in alice.get(page(ca)).text


def test_a_new_crl_is_there_to_download(alice, device_ca):
    download = reverse("admin:pki_certificateauthority_download", args=[device_ca.pk, "crl"])
    assert alice.get(download).status_code == 404

    alice.post(page(device_ca, "make-crl"))

    response = alice.get(download)
    assert response["Content-Type"] == "application/pkix-crl"
    device_ca.refresh_from_db()
    assert (response.content, device_ca.crl_number) == (bytes(device_ca.crl_der), 1)


def test_abandoned_intents_are_settled(alice, enroll):
    row = enroll()
    IssuedCertificate.objects.filter(pk=row.pk).update(
        state="intent", created_at=timezone.now() - datetime.timedelta(hours=2)
    )

    done = alice.post(reverse("admin:pki_issuedcertificate_settle"), follow=True)

    assert "1 intent settled" in said(done)
    row.refresh_from_db()
    assert row.state == "void"


def test_a_waiting_hook_runs_now(alice, enroll):
    pending = PendingHook.objects.create(certificate=enroll(), attempts=3)

    done = alice.post(page(pending, "run"), follow=True)

    assert "has run" in said(done)
    assert not PendingHook.objects.exists()


def test_a_viewer_sees_everything_and_does_nothing(client, enroll):
    certificate = enroll()
    bob = User.objects.create_user("bob", is_staff=True)
    bob.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client.force_login(bob)
    profile = CertificateProfile.objects.get()
    ca = CertificateAuthority.objects.device().get()

    shown = client.get(page(certificate))
    assert shown.status_code == 200
    assert page(certificate, "revoke") not in shown.text
    assert (
        "revoke_selected" not in client.get(reverse("admin:pki_issuedcertificate_changelist")).text
    )
    refused = [
        client.post(page(certificate, "revoke"), {"reason": "superseded"}),
        client.post(page(profile, "new-version"), {"reason": "test"}),
        client.post(page(ca, "successor"), {"name": ca.name, "reason": "test"}),
        client.post(page(ca, "make-crl")),
        client.post(
            reverse("admin:pki_denylistentry_add"),
            {"kind": "name", "value": "sensor-1", "reason": "test"},
        ),
    ]

    assert [response.status_code for response in refused] == [403] * len(refused)
    assert not AuditEvent.objects.filter(actor="admin:bob").exists()


def test_each_operation_asks_for_a_permission_of_its_own(client, enroll):
    certificate = enroll()
    carol = User.objects.create_user("carol", is_staff=True)
    carol.user_permissions.set(
        Permission.objects.filter(codename__in=["view_issuedcertificate", "add_denylistentry"])
    )
    client.force_login(carol)

    shown = client.get(page(certificate)).text

    assert page(certificate, "deny") in shown
    assert page(certificate, "revoke") not in shown
    assert client.get(reverse("admin:pki_auditevent_changelist")).status_code == 403
    assert client.get(reverse("admin:pki_auditevent_export")).status_code == 403
