"""An operator releases a thing name from the client that holds it (T45)."""

import datetime
import io

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from iotprov.models import Provisioning
from iotprov.provisioning.desired_state import Goal, desired_state
from iotprov.provisioning.record_facts import read_facts
from pki.denylist.entries import deny
from pki.encoding.certificates import fingerprint_of
from pki.issuance.client_certificates import sign_client_csr
from pki.issuance.release import planned_release, release_name
from pki.models import AuditEvent, CertificateProfile, IssuedCertificate
from pki.operators.errors import OperatorError
from pki.record import snapshot
from pki.record.intents import settle_intents
from pki.revocation.revoke import revoke_certificate
from tests.conftest import TESTER
from tests.support.builders import make_ca, make_certificate, make_csr, make_key

State = IssuedCertificate.State
NAME = "sensor-1"


def csr(key=600, name=NAME, **parts):
    return make_csr(name, key=make_key("ec-p256", key), **parts)


def pem(certificate):
    return certificate.public_bytes(Encoding.PEM).decode()


def release(**terms):
    return release_name(NAME, reason="line 2 is gone", actor=TESTER, **terms)


def revoke_all(name=NAME):
    for row in IssuedCertificate.objects.for_name(name).live():
        revoke_certificate(row, reason="superseded", actor=TESTER)


@pytest.fixture
def others(est_client):
    """Two other clients of the client CA."""

    def make(number):
        request = make_csr(f"line-{number}", key=make_key("ec-p256", 980 + number))
        row = sign_client_csr(request, validity=datetime.timedelta(days=30), actor=TESTER)
        return est_client.using(row.to_x509())

    return make(1), make(2)


def test_T45_a_name_in_use_is_not_released(est_client, others):
    device = est_client.using(est_client.simpleenroll(csr()).certificate)

    with pytest.raises(OperatorError, match=r"is in use\. Live certificates of it: 1") as caught:
        release()

    assert "(--revoke)" in str(caught.value)
    assert others[0].simpleenroll(csr(601)).reason == "name-bound-to-another"
    assert device.simplereenroll(csr(602)).status_code == 200
    assert not AuditEvent.objects.filter(action="release").exists()


def test_T45_a_superseded_certificate_in_its_overlap_is_live(est_client):
    first = est_client.using(est_client.simpleenroll(csr()).certificate)
    first.simplereenroll(csr(601))
    revoke_certificate(
        IssuedCertificate.objects.for_name(NAME).current().get(), reason="superseded", actor=TESTER
    )

    with pytest.raises(OperatorError, match="is in use"):
        release()


def test_T45_a_released_name_is_free_for_the_first_client(est_client, others):
    est_client.simpleenroll(csr())
    revoke_all()

    release()

    assert others[0].simpleenroll(csr(601)).status_code == 200
    assert others[1].simpleenroll(csr(602)).reason == "name-bound-to-another"
    assert est_client.simpleenroll(csr(603)).reason == "name-bound-to-another"
    event = AuditEvent.objects.get(action="release")
    assert (event.target, event.actor) == (f"thing:{NAME}", "test")
    assert event.reason == "line 2 is gone"
    assert event.before == {"client": fingerprint_of(est_client.certificate)}
    assert event.after == {"client": "", "revoked": 0}


@pytest.mark.parametrize("is_file", [True, False])
def test_T45_a_name_is_reserved_for_a_client(est_client, others, is_file):
    est_client.simpleenroll(csr())
    others[0].simpleenroll(csr(610, "sensor-2"))
    revoke_all()
    certificate = others[0].certificate

    release(to=pem(certificate) if is_file else fingerprint_of(certificate))

    for client in (est_client, others[1]):
        for operation in (client.simpleenroll, client.simplereenroll):
            assert operation(csr(601)).reason == "name-bound-to-another"
    assert others[0].simpleenroll(csr(602)).status_code == 200
    assert others[0].simplereenroll(csr(603)).status_code == 200
    assert AuditEvent.objects.get(action="release").after["client"] == fingerprint_of(certificate)


def test_T45_a_free_name_can_still_be_reserved(est_client, others):
    est_client.simpleenroll(csr())
    revoke_all()
    release()
    with pytest.raises(OperatorError, match=r"has no holder\. It is free already"):
        release()

    release(to=pem(others[0].certificate))

    assert est_client.simpleenroll(csr(601)).reason == "name-bound-to-another"
    assert others[0].simpleenroll(csr(602)).status_code == 200


def test_T45_a_release_revokes_first_when_it_is_told_to(est_client, others):
    CertificateProfile.objects.update(iot_provisioning="register")
    first = est_client.simpleenroll(csr()).certificate
    second = est_client.using(first).simplereenroll(csr(601)).certificate
    Provisioning.objects.all().delete()

    plan = release(is_revoking=True)

    assert len(plan.live) == 2
    rows = IssuedCertificate.objects.for_name(NAME)
    assert {*rows.values_list("state", "revocation_reason")} == {
        (State.REVOKED, "cessationOfOperation")
    }
    assert AuditEvent.objects.get(action="release").after == {"client": "", "revoked": 2}
    assert AuditEvent.objects.filter(action="revoke", reason__contains="release of").count() == 2
    for certificate in (first, second):
        assert est_client.using(certificate).simplereenroll(csr(602)).status_code == 403
    at = timezone.now()
    assert Provisioning.objects.pending().count() == 2
    for row in rows:
        assert desired_state(read_facts(row.pk, "default", at), at).goal is Goal.REVOKED
    assert others[0].simpleenroll(csr(603)).status_code == 200


def test_T45_an_expired_certificate_keeps_no_name(est_client, others):
    est_client.simpleenroll(csr())
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    IssuedCertificate.objects.for_name(NAME).update(not_after=past)

    release()

    assert others[0].simpleenroll(csr(601)).status_code == 200


def test_T45_a_void_intent_does_not_give_the_name_back_to_its_earlier_holder(est_client, others):
    est_client.simpleenroll(csr())
    revoke_all()
    release()
    others[0].simpleenroll(csr(601))
    mine = IssuedCertificate.objects.for_name(NAME).filter(name_released_at=None)
    mine.update(state=State.INTENT, der=None, fingerprint_sha256=None, current_name=None)

    settle_intents(older_than=datetime.timedelta(0))

    assert not IssuedCertificate.objects.filter(name_owner=NAME).exists()
    assert others[1].simpleenroll(csr(602)).status_code == 200


def test_T45_a_client_certificate_of_the_same_common_name_inherits_no_thing_name(est_client):
    est_client.simpleenroll(csr(name="test-client"))  # as the client's own certificate is called
    rows = IssuedCertificate.objects.for_name("test-client").exclude(operation="client")
    rows.update(state=State.INTENT, der=None, fingerprint_sha256=None, current_name=None)

    settle_intents(older_than=datetime.timedelta(0))

    assert not IssuedCertificate.objects.exclude(name_owner=None).exists()
    assert est_client.simpleenroll(csr(601, name="test-client")).status_code == 200


def test_T45_a_reservation_outlives_a_void_intent(est_client, others, change_default_profile):
    change_default_profile(identity_rule="any", can_rebind_names=True)
    est_client.simpleenroll(csr())
    release(to=pem(others[0].certificate), is_revoking=True)
    others[1].simpleenroll(csr(601))  # takes the name over, and comes to nothing
    taken = IssuedCertificate.objects.for_name(NAME).filter(name_released_at=None)
    taken.update(state=State.INTENT, der=None, fingerprint_sha256=None, current_name=None)
    settle_intents(older_than=datetime.timedelta(0))
    change_default_profile(can_rebind_names=False)

    assert others[1].simpleenroll(csr(602)).reason == "name-bound-to-another"
    assert est_client.simpleenroll(csr(603)).reason == "name-bound-to-another"
    assert others[0].simpleenroll(csr(604)).status_code == 200


def test_T45_T39_the_next_device_does_not_get_the_serial_number_of_the_last(est_client, others):
    est_client.simpleenroll(csr(serial_number="SN-1"))
    release(to=pem(others[0].certificate), is_revoking=True)
    rows = IssuedCertificate.objects.for_name(NAME).filter(name_released_at=None)

    others[0].simpleenroll(csr(601))
    assert [row.device_serial for row in rows] == [""]
    others[0].simpleenroll(csr(602, serial_number="SN-2"))
    others[0].simpleenroll(csr(603))  # and its own is kept

    assert sorted(rows.values_list("device_serial", flat=True)) == ["", "SN-2", "SN-2"]


def test_T45_what_is_denied_stays_denied(est_client, others):
    est_client.simpleenroll(csr())
    deny("name", NAME, reason="stolen", actor=TESTER)

    release(is_revoking=True)

    assert others[0].simpleenroll(csr(601)).reason == "device-denied"


def test_T45_a_release_is_refused_in_a_sentence(est_client, others):
    device = est_client.simpleenroll(csr()).certificate
    stranger = make_certificate(make_ca("stranger"), "line-9")
    for name, terms, words in (
        ("sensor-9", {}, "No client has enrolled the thing name 'sensor-9'. It is free."),
        ("a b", {}, "No client has enrolled the thing name 'a b'."),
        ("test-client", {}, "No client has enrolled"),
        (NAME, {"to": pem(device)}, "is a device's"),
        (NAME, {"to": pem(stranger)}, "is not good for enrollment here"),
        (NAME, {"to": "ab" * 32}, "holds no name here yet"),
        (NAME, {"reason": " "}, "needs a reason"),
    ):
        with pytest.raises(OperatorError, match=words):
            release_name(name, **{"reason": "r", "actor": TESTER, "is_revoking": True, **terms})
    assert IssuedCertificate.objects.for_name(NAME).current().count() == 1


def test_T45_release_name_shows_the_effect_first(est_client, others, tmp_path):
    est_client.simpleenroll(csr())
    (row,) = IssuedCertificate.objects.for_name(NAME)
    holder, to = (fingerprint_of(one.certificate) for one in (est_client, others[0]))
    path = tmp_path / "line-1.pem"
    path.write_text(pem(others[0].certificate))

    def run(*arguments):
        out = io.StringIO()
        call_command("release_name", "SENSOR-1", "--reason", "moved", *arguments, stdout=out)
        return out.getvalue().splitlines()

    held = f"The thing name {NAME} is held by the client {holder}. Live certificates of it: 1."
    assert run("--dry-run")[:2] == [
        held,
        f"Nothing is released while they are live: {row.serial_number}.",
    ]
    with pytest.raises(CommandError, match="is in use"):
        run()
    row.refresh_from_db()
    assert row.state == State.ISSUED

    assert run("--revoke", "--to", str(path)) == [
        held,
        "They are revoked first (cessationOfOperation), and AWS IoT detaches them from their "
        f"thing: {row.serial_number}.",
        f"Afterwards only the client {to} may enroll {NAME}.",
        f"released: thing name {NAME}",
    ]
    assert others[0].simpleenroll(csr(601)).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_T45_the_page_shows_the_effect_first(admin_client, est_client, others):
    snapshot.forget()
    est_client.simpleenroll(csr())
    (row,) = IssuedCertificate.objects.for_name(NAME)
    page = reverse("admin:pki_issuedcertificate_release", args=[row.pk])

    asked = admin_client.get(page)
    assert f"is held by the client {fingerprint_of(est_client.certificate)}" in asked.text
    assert f"Nothing is released while they are live: {row.serial_number}." in asked.text
    terms = {"to": pem(others[0].certificate), "reason": "moved"}
    assert "is in use" in admin_client.post(page, terms).text
    assert "This field is required" in admin_client.post(page, {**terms, "reason": ""}).text

    done = admin_client.post(page, {**terms, "is_revoking": "on"}, follow=True)

    assert f"The thing name {NAME} is released." in done.text
    assert AuditEvent.objects.get(action="release").actor.startswith("admin:")
    assert others[0].simpleenroll(csr(601)).status_code == 200
    client_row = IssuedCertificate.objects.filter(operation="client").first()
    page = reverse("admin:pki_issuedcertificate_release", args=[client_row.pk])
    assert "has no thing name to release" in admin_client.get(page, follow=True).text


def test_T45_the_effects_name_who_gets_a_free_name(est_client):
    est_client.simpleenroll(csr())
    revoke_all()

    effects = planned_release(NAME).effects()

    assert effects[-1] == (
        f"Afterwards the first client that enrolls {NAME} holds it, if the profile's identity rule "
        "lets that client have the name."
    )
