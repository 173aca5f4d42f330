"""One device has one serial number, however a request spells it (T39)."""

import datetime
from importlib import import_module

import pytest
from django.apps import apps
from django.core.management import call_command
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pki.csr.thing_names import fold_serial, normal_serial
from pki.denylist.entries import allow, certificates_named, deny
from pki.denylist.kinds import normalize
from pki.models import AuditEvent, DenylistEntry, IssuedCertificate
from pki.record import audit_trail
from tests.conftest import TESTER
from tests.support.builders import make_csr, make_key

SPELLINGS = ["HID 7", "HID 7 ", " HID 7", "HID  7", "hid 7", "  hId   7 "]

SERIALS = st.text("Ab1 -/", min_size=1, max_size=20).filter(str.strip)
SPACES = st.text(" ", max_size=3)


@st.composite
def spelled(draw):
    """A serial number, and another spelling of it: other case, more white space."""
    serial = draw(SERIALS)
    words = [draw(st.sampled_from([word, word.lower(), word.upper()])) for word in serial.split()]
    gaps = [draw(SPACES) + " " for _ in words[1:]]
    inner = "".join(word + gap for word, gap in zip(words, [*gaps, ""], strict=True))
    return serial, draw(SPACES) + inner + draw(SPACES)


def csr(serial, key=300):
    return make_csr("sensor-1", key=make_key("ec-p256", key), serial_number=serial)


def deny_(serial):
    return deny("device-serial", serial, reason="stolen", actor=TESTER)


def serials_on_record():
    rows = IssuedCertificate.objects.for_name("sensor-1").order_by("created_at")
    return [*rows.values_list("device_serial", flat=True)]


@given(spelled())
def test_T39_every_spelling_is_one_serial_number(pair):
    serial, other = pair

    assert fold_serial(serial) == fold_serial(other)
    assert fold_serial(normal_serial(other)) == fold_serial(other)
    assert normal_serial(normal_serial(other)) == normal_serial(other)
    assert normalize("device-serial", serial) == normalize("device-serial", other)


@given(SERIALS, SERIALS)
def test_T39_two_serial_numbers_stay_two(one, another):
    same = " ".join(one.lower().split()) == " ".join(another.lower().split())

    assert (fold_serial(one) == fold_serial(another)) == same


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(spelled())
def test_T39_an_entry_stops_every_spelling(est_client, pair):
    serial, other = pair
    deny_(serial)

    refused = est_client.simpleenroll(csr(other))

    assert refused.reason == "device-denied"
    assert "device's serial number" in refused.text
    assert allow("device-serial", other, reason="found", actor=TESTER)


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("is_device", [True, False])
def test_T39_a_renewal_is_recorded_with_the_serial_on_file(est_client, spelling, is_device):
    certificate = est_client.simpleenroll(csr("HID 7")).certificate
    client = est_client.using(certificate) if is_device else est_client

    assert client.simplereenroll(csr(spelling, key=301)).status_code == 200

    assert serials_on_record() == ["HID 7", "HID 7"]
    call_command("deny", "device-serial", "hid 7", reason="stolen", revoke=True)
    assert not certificates_named("device-serial", "hid 7").live().exists()


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_T39_a_denied_device_does_not_renew_under_any_spelling(est_client, spelling):
    certificate = est_client.simpleenroll(csr(" HID  7")).certificate
    deny_("HID 7")

    for client in (est_client, est_client.using(certificate)):
        for operation in (client.simpleenroll, client.simplereenroll):
            assert operation(csr(spelling, key=301)).reason == "device-denied"
            assert operation(csr(None, key=301)).reason == "device-denied"


@pytest.mark.parametrize("label", ["", "other"])
def test_T39_a_name_that_enrolls_again_without_its_serial_does_not_lose_it(
    est_client, add_label, label
):
    add_label("other")
    certificate = est_client.simpleenroll(csr("HID 7")).certificate
    client = est_client.at(label)

    request = csr(None, key=301)
    assert client.simpleenroll(request).status_code == 200
    assert client.simpleenroll(request).status_code == 200  # the same request again
    assert client.simpleenroll(csr(None, key=302)).status_code == 200

    assert serials_on_record() == ["HID 7"] * 3
    device = est_client.using(certificate)
    assert device.simpleenroll(csr(None, key=303)).reason == "subject-changed"  # a renewal: T43


def test_T39_a_name_on_another_device_has_the_other_serial(est_client):
    est_client.simpleenroll(csr("HID 7"))
    deny_("HID 7")

    assert est_client.simpleenroll(csr("HID 8", key=301)).status_code == 200

    assert serials_on_record() == ["HID 7", "HID 8"]


def test_T39_the_serial_on_record_of_the_authenticating_device_counts(est_client):
    certificate = est_client.simpleenroll(csr("HID 7")).certificate
    IssuedCertificate.objects.for_name("sensor-1").update(device_serial="OTHER")
    deny_("other")

    device = est_client.using(certificate)

    assert device.simplereenroll(csr("HID 7", key=301)).reason == "device-denied"


MIGRATION = import_module("pki.migrations.0004_device_serials")


def test_T39_the_migration_repairs_rows_and_may_run_again(est_client, monkeypatch):
    monkeypatch.setattr(MIGRATION, "CHUNK", 2)
    rows = IssuedCertificate.objects.for_name("sensor-1")
    for index, serial in enumerate([" HID 7", "HID 7 ", "HID  7", "HID 7", " HID   7  "]):
        est_client.simpleenroll(csr("x", key=310 + index))
        rows.filter(device_serial="x").update(device_serial=serial)

    for _ in range(2):
        MIGRATION.repair_certificates(apps, None)
        assert serials_on_record() == ["HID 7"] * 5


@pytest.mark.parametrize("ends", [(None, 1), (1, None), (1, 2), (2, 1), (None, None)])
def test_T39_the_migration_merges_entries_and_the_stricter_end_wins(db, ends):
    now = timezone.now()
    times = [end and now + datetime.timedelta(days=end) for end in ends]
    for value, expires_at in zip(("hid 7", "hid  7"), times, strict=True):
        DenylistEntry.objects.create(
            kind="device-serial", value=value, reason="r", created_by="t", expires_at=expires_at
        )
    DenylistEntry.objects.create(kind="device-serial", value="a  b", reason="r", created_by="t")

    for _ in range(2):
        MIGRATION.repair_entries(apps, None)

    merged = DenylistEntry.objects.get(value="hid 7")
    assert merged.expires_at == (None if None in ends else max(times))
    assert {*DenylistEntry.objects.values_list("value", flat=True)} == {"hid 7", "a b"}
    events = AuditEvent.objects.filter(action="deny")
    assert {event.before["value"] for event in events} == {"hid  7", "a  b"}
    assert audit_trail.verify()[1] is None


def test_T39_the_migration_folds_the_serial_numbers_so_far(est_client):
    migration = import_module("pki.migrations.0014_folded_serials")
    est_client.simpleenroll(csr("HID 7"))
    IssuedCertificate.objects.update(serial_folded=None)

    for _ in range(2):
        migration.fold(apps, None)

    assert set(IssuedCertificate.objects.values_list("device_serial", "serial_folded")) >= {
        ("HID 7", "hid 7")
    }
    assert certificates_named("device-serial", "hid 7").live().exists()
