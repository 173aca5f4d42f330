"""Who is on the denylist gets no certificate, whenever it was put there."""

import datetime
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from django.db import OperationalError, connection
from django.utils import timezone

from pki.csr.public_keys import public_key_sha256
from pki.denylist.adding import Outcome
from pki.denylist.entries import allow, certificates_named, deny, void_intents_of
from pki.denylist.kinds import normalize, value_or_certificate
from pki.denylist.values import expiry_after
from pki.models import AuditEvent, DenylistEntry, IssuedCertificate
from pki.operators.errors import OperatorError
from pki.signers import get_signer
from tests.conftest import TESTER
from tests.support.builders import make_ca, make_certificate, make_csr, make_key

State = IssuedCertificate.State


@pytest.fixture
def signer(data_dir, settings):
    """The device CA's signer, which counts, and lets a test act before each signature."""
    signers = {"keyfile": {"BACKEND": "tests.support.plugins.WatchedSigner"}}
    settings.PKI = replace(settings.PKI, signers=signers)
    get_signer.cache_clear()
    return get_signer("keyfile")


def deny_(kind, value, **terms):
    return deny(kind, value, reason="stolen", actor=TESTER, **terms)


def fingerprint(certificate):
    return certificate.fingerprint(SHA256()).hex()


def test_a_denied_name_enrolls_nothing(est_client):
    deny_("name", "sensor-1")

    response = est_client.simpleenroll(make_csr("sensor-1"))

    assert (response.status_code, response.reason) == (403, "device-denied")
    assert "stolen" not in response.text  # the operator's words are not for the device
    assert not IssuedCertificate.objects.for_name("sensor-1").exists()


@pytest.mark.parametrize("kind", DenylistEntry.Kind.values)
def test_every_kind_of_entry_stops_enrollment(est_client, kind):
    client = est_client.certificate
    deny_(
        kind,
        {
            "name": "sensor-1",
            "device-serial": "SN-0001",
            "fingerprint": fingerprint(client),
            "serial": f"{client.serial_number:x}",
            "key": public_key_sha256(make_key().public_key()),
            "client": fingerprint(client),
        }[kind],
    )

    response = est_client.simpleenroll(make_csr("sensor-1", serial_number="sn-0001"))

    assert response.status_code == 403
    assert response.reason == ("client-denied" if kind == "client" else "device-denied")
    assert not IssuedCertificate.objects.exclude(operation="client").exists()


@pytest.mark.parametrize("kind", DenylistEntry.Kind.values)
def test_every_kind_of_entry_stops_renewal(est_client, kind):
    csr = make_csr("sensor-1", serial_number="SN-0001")
    device = est_client.simpleenroll(csr).certificate
    deny_(
        kind,
        {
            "name": "sensor-1",
            "device-serial": "SN-0001",
            "fingerprint": fingerprint(device),
            "serial": f"{device.serial_number:x}",
            "key": public_key_sha256(device.public_key()),
            "client": fingerprint(device),
        }[kind],
    )

    response = est_client.using(device).simplereenroll(csr)

    assert response.status_code == 403
    assert IssuedCertificate.objects.for_name("sensor-1").count() == 1


@pytest.mark.parametrize("kind", ["fingerprint", "serial"])
def test_a_denied_certificate_isnt_renewed_by_its_client_either(est_client, kind):
    device = est_client.simpleenroll(make_csr("sensor-1")).certificate
    deny_(kind, fingerprint(device) if kind == "fingerprint" else f"{device.serial_number:x}")

    assert est_client.simplereenroll(make_csr("sensor-1")).reason == "device-denied"


def test_an_entry_names_nobody_else(est_client):
    deny_("name", "sensor-1")
    deny_("device-serial", "SN-0001")
    deny_("key", public_key_sha256(make_key(index=1).public_key()))

    assert est_client.simpleenroll(make_csr("sensor-2", serial_number="SN-0002")).certificate


@pytest.mark.parametrize("spelling", ["Sensor-1", "SENSOR-1", "sensor-1", " sensor-1 "])
def test_T15_a_deny_covers_every_spelling_of_a_name(est_client, spelling):
    deny_("name", spelling)

    assert est_client.simpleenroll(make_csr("sEnSoR-1")).reason == "device-denied"


def test_an_entry_stops_nobody_after_its_end(est_client):
    deny_("name", "sensor-1", expires_at=timezone.now() - datetime.timedelta(seconds=1))
    deny_("name", "sensor-2", expires_at=timezone.now() + datetime.timedelta(minutes=1))

    assert est_client.simpleenroll(make_csr("sensor-1")).certificate
    assert est_client.simpleenroll(make_csr("sensor-2")).reason == "device-denied"


def test_who_is_allowed_again_enrolls(est_client):
    deny_("name", "sensor-1")

    assert allow("name", "SENSOR-1", reason="found", actor=TESTER)

    assert est_client.simpleenroll(make_csr("sensor-1")).certificate
    assert not allow("name", "sensor-1", reason="found", actor=TESTER)


def test_a_denied_device_keeps_the_certificate_it_has(est_client):
    est_client.simpleenroll(make_csr("sensor-1"))

    deny_("name", "sensor-1")

    assert certificates_named("name", "sensor-1").live().count() == 1


def test_the_same_request_gets_no_earlier_answer_once_denied(est_client):
    csr = make_csr("sensor-1")
    est_client.simpleenroll(csr)
    deny_("name", "sensor-1")

    assert est_client.simpleenroll(csr).reason == "device-denied"


def test_T17_a_database_that_fails_at_the_check_stops_everything(signer, est_client):
    signed_before = signer.signatures

    def fail_at_the_denylist(execute, sql, *arguments):
        if "pki_denylistentry" in sql:
            raise OperationalError("disk I/O error")
        return execute(sql, *arguments)

    with connection.execute_wrapper(fail_at_the_denylist):
        response = est_client.simpleenroll(make_csr("sensor-1"))

    assert (response.status_code, response.reason) == (503, "database-unavailable")
    assert signer.signatures == signed_before
    assert not IssuedCertificate.objects.for_name("sensor-1").exists()


@pytest.mark.parametrize("kind", DenylistEntry.Kind.values)
def test_T16_denied_between_intent_and_issue_gets_nothing(signer, est_client, kind):
    client = est_client.certificate
    value = {
        "name": "sensor-1",
        "device-serial": "SN-0001",
        "fingerprint": fingerprint(client),
        "serial": f"{client.serial_number:x}",
        "key": public_key_sha256(make_key().public_key()),
        "client": fingerprint(client),
    }[kind]
    signer.before_signature = lambda: deny_(kind, value)

    response = est_client.simpleenroll(make_csr("sensor-1", serial_number="SN-0001"))

    assert response.status_code == 403
    row = IssuedCertificate.objects.for_name("sensor-1").get()
    assert row.state == State.VOID
    assert row.der is None
    assert row.revoked_at is not None  # its serial number goes on the CRL: it was signed
    assert row.name_owner is None


@pytest.mark.parametrize("kind", ["fingerprint", "serial"])
def test_T16_the_certificate_to_be_renewed_denied_in_between(signer, est_client, kind):
    device = est_client.simpleenroll(make_csr("sensor-1")).certificate
    value = fingerprint(device) if kind == "fingerprint" else f"{device.serial_number:x}"
    signer.before_signature = lambda: deny_(kind, value)

    response = est_client.simplereenroll(make_csr("sensor-1", key=make_key(index=1)))

    assert response.reason == "device-denied"
    assert IssuedCertificate.objects.for_name("sensor-1").filter(state=State.VOID).count() == 1


def test_T16_T57_an_entry_alone_stops_an_intent_before_its_second_commit(signer, est_client):
    """The request that finds it stopped makes it void. It was signed, so the CRL lists it."""

    def first_commit_only():
        DenylistEntry.objects.create(kind="name", value="sensor-1", reason="r", created_by="t")

    signer.before_signature = first_commit_only

    assert est_client.simpleenroll(make_csr("sensor-1")).reason == "device-denied"
    rows = IssuedCertificate.objects.for_name("sensor-1")
    row = rows.get()
    assert (row.state, row.name_owner) == (State.VOID, None)
    assert row.revoked_at is not None
    trail = AuditEvent.objects.get(action="void", target=f"certificate:{row.serial_number}")
    assert trail.reason == "refused after its signature: device-denied"

    rows.update(state=State.INTENT)  # as after a crash before that
    void_intents_of([("name", "sensor-1")], actor=TESTER)

    assert IssuedCertificate.objects.for_name("sensor-1").get().state == State.VOID


def test_T16_a_serial_number_voids_intents_of_clients_from_outside(signer, est_client):
    def by_a_client_from_outside():
        IssuedCertificate.objects.for_name("sensor-1").update(client_fingerprint="ab" * 32)
        deny_("serial", "1234")

    signer.before_signature = by_a_client_from_outside

    assert est_client.simpleenroll(make_csr("sensor-1")).status_code == 503  # and comes again
    signer.before_signature = lambda: None
    assert est_client.simpleenroll(make_csr("sensor-1")).certificate


def test_the_trail_says_who_denied_what_and_what_it_replaced(db):
    assert deny_("name", "Sensor-1")
    assert not deny_("name", "sensor-1")  # the same terms: nothing to write
    assert deny("name", "sensor-1", reason="sold", actor=TESTER, is_replacing=True)

    first, second = AuditEvent.objects.filter(action="deny").order_by("position")
    assert (first.target, first.actor, first.reason) == ("name:sensor-1", "test", "stolen")
    assert first.before is None
    assert second.before["reason"] == "stolen"
    assert second.after["reason"] == "sold"
    assert DenylistEntry.objects.get().reason == "sold"


@pytest.mark.parametrize("reason", ["", "  "])
def test_an_entry_needs_a_reason(db, reason):
    with pytest.raises(OperatorError, match="needs a reason"):
        deny("name", "sensor-1", reason=reason, actor=TESTER)


LATER = timezone.now() + datetime.timedelta(days=1)


@pytest.mark.parametrize(("expires_at", "other"), [(None, LATER), (LATER, None)])
def test_T54_adding_an_entry_changes_none_that_is_there(db, expires_at, other):
    assert deny_("name", "sensor-1", expires_at=expires_at) is Outcome.NEW

    assert deny_("name", "SENSOR-1", expires_at=other) is Outcome.KEPT

    entry = DenylistEntry.objects.get()
    assert (entry.reason, entry.expires_at) == ("stolen", expires_at)
    assert AuditEvent.objects.filter(action="deny").count() == 1


def test_T54_an_entry_gets_other_terms_when_that_is_asked_for(db):
    deny_("name", "sensor-1")

    assert deny_("name", "sensor-1", expires_at=LATER, is_replacing=True) is Outcome.CHANGED

    assert DenylistEntry.objects.get().expires_at == LATER
    event = AuditEvent.objects.exclude(before=None).get(action="deny")
    assert event.before == {"reason": "stolen", "expires_at": None}


def test_T54_an_entry_that_has_expired_is_added_anew(est_client):
    deny_("name", "sensor-1", expires_at=timezone.now() - datetime.timedelta(seconds=1))

    assert deny_("name", "sensor-1") is Outcome.CHANGED

    assert est_client.simpleenroll(make_csr("sensor-1")).reason == "device-denied"


# Values


@pytest.mark.parametrize(
    ("kind", "value", "stored"),
    [
        ("name", " Sensor-1\n", "sensor-1"),
        ("device-serial", "SN 0001/A", "sn 0001/a"),
        ("serial", "0A:1B:2C", "a1b2c"),
        ("serial", "0x0a1b", "a1b"),
        ("serial", "dec:4096", "1000"),
        ("serial", "DECAFBAD", "decafbad"),
        ("serial", "de:ca:fb", "decafb"),
        ("fingerprint", "AB:" * 31 + "AB", "ab" * 32),
        ("key", "Ab" * 32, "ab" * 32),
    ],
)
def test_a_value_is_stored_as_it_is_compared(kind, value, stored):
    assert normalize(kind, value) == stored
    assert normalize(kind, stored) == stored


@pytest.mark.parametrize(
    ("kind", "value", "complaint"),
    [
        ("nme", "sensor-1", "Use one of: name, device-serial, fingerprint, serial, key, client"),
        ("name", "", "The value is empty"),
        ("name", "sensor 1", "cannot be an AWS IoT thing name"),
        ("name", "=cmd|' /C calc'!A0", "cannot be an AWS IoT thing name"),
        ("name", "sens\u043er-1", "cannot be an AWS IoT thing name"),
        ("device-serial", "SN\x001", "cannot be the serial number of a device"),
        ("serial", "12 34", "is not a serial number"),
        ("serial", "-5", "is not a serial number"),
        ("serial", "1_0", "is not a serial number"),
        ("serial", "\u0661", "is not a serial number"),
        ("serial", "0", "greater than zero"),
        ("serial", "f" * 43, "is not a serial number"),
        ("fingerprint", "ab" * 31, "Use 64 hexadecimal digits"),
        ("key", "zz" * 32, "Use 64 hexadecimal digits"),
        ("client", "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----", "PEM text"),
    ],
)
def test_a_value_that_would_stop_nobody_is_refused(kind, value, complaint):
    with pytest.raises(OperatorError, match=complaint):
        normalize(kind, value)


def test_a_pem_file_stands_for_what_is_in_it(tmp_path):
    certificate = make_certificate(make_ca(), public_key=make_key(index=1).public_key())
    path = tmp_path / "device.pem"
    path.write_text("Bag Attributes\n" + certificate.public_bytes(Encoding.PEM).decode())

    def stored(kind):
        return normalize(kind, value_or_certificate(kind, str(path)))

    assert stored("fingerprint") == stored("client") == fingerprint(certificate)
    assert stored("key") == public_key_sha256(certificate.public_key())
    assert stored("serial") == f"{certificate.serial_number:x}"


def test_a_name_is_never_taken_for_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sensor-1").write_text("anything")

    assert value_or_certificate("name", "sensor-1") == "sensor-1"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "missing.pem cannot be read: No such file"),
        (b"hello", "holds no certificate"),
        (b"\x30\x82\xff", "is not PEM text"),
    ],
)
def test_a_file_that_holds_no_certificate_is_refused(tmp_path, content, complaint):
    path = tmp_path / "missing.pem"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(OperatorError, match=complaint):
        value_or_certificate("key", str(path))


def test_an_entry_holds_through_its_last_day():
    tomorrow = (timezone.now() + datetime.timedelta(days=1)).date()

    end = expiry_after(f"{tomorrow}")

    assert end.isoformat() == f"{tomorrow + datetime.timedelta(days=1)}T00:00:00+00:00"


@pytest.mark.parametrize("day", ["2020-01-01", "tomorrow", "2030-02-30", "01.02.2030", ""])
def test_a_last_day_that_isnt_one_is_refused(day):
    with pytest.raises(OperatorError, match=r"is not a day|is in the past"):
        expiry_after(day)


def test_names_are_folded_for_certificates_named(est_client):
    est_client.simpleenroll(make_csr("Sensor-1"))

    assert certificates_named("name", normalize("name", "SENSOR-1")).count() == 1
