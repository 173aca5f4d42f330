"""A revoked certificate authenticates nobody, for good."""

from dataclasses import replace

import pytest

from pki.models import AuditEvent, IssuedCertificate
from pki.operators.errors import OperatorError
from pki.revocation.revoke import REASONS, find_certificate, revoke_certificate, revoke_certificates
from pki.signers import get_signer
from tests.conftest import TESTER
from tests.support.builders import make_csr, make_key

State = IssuedCertificate.State


@pytest.fixture
def device(est_client):
    """The row of a device's certificate."""
    est_client.simpleenroll(make_csr("sensor-1"))
    return IssuedCertificate.objects.for_name("sensor-1").get()


def revoke(row, reason="keyCompromise", **options):
    return revoke_certificate(row, reason=reason, actor=TESTER, **options)


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_of_RFC_5280_is_known_and_recorded(device, reason):
    assert revoke(device, reason, comment="ticket 7")

    device.refresh_from_db()
    assert (device.state, device.revocation_reason) == (State.REVOKED, reason)
    event = AuditEvent.objects.get(action="revoke")
    assert event.reason == f"{reason}: ticket 7"
    assert event.before == {"state": "issued", "name": "sensor-1"}


def test_the_reasons_are_those_of_RFC_5280_section_5_3_1_that_revoke_for_good():
    assert set(REASONS) == {
        "unspecified",
        "keyCompromise",
        "cACompromise",
        "affiliationChanged",
        "superseded",
        "cessationOfOperation",
        "privilegeWithdrawn",
        "aACompromise",
    }


@pytest.mark.parametrize("reason", ["", "stolen", "KeyCompromise", "removeFromCRL"])
def test_another_reason_is_refused(device, reason):
    with pytest.raises(
        OperatorError, match=r"is not a reason of RFC 5280. Use one of: unspecified"
    ):
        revoke(device, reason)

    device.refresh_from_db()
    assert device.state == State.ISSUED


def test_a_hold_is_refused_and_the_denylist_named(device):
    with pytest.raises(OperatorError) as caught:
        revoke(device, "certificateHold")

    assert str(caught.value) == (
        "certificateHold is not a reason to revoke. A revoked certificate never becomes valid "
        "again, so there is no hold. Put the device on the denylist until a day instead: "
        "manage.py deny, with --expires."
    )
    device.refresh_from_db()
    assert device.state == State.ISSUED


@pytest.mark.parametrize("operation", ["simpleenroll", "simplereenroll"])
def test_T13_W30_a_revoked_certificate_authenticates_nobody(est_client, device, operation):
    revoke(device)

    response = getattr(est_client.using(device.to_x509()), operation)(make_csr("sensor-1"))

    assert (response.status_code, response.reason) == (403, "client-certificate-revoked")


def test_T13_a_superseded_certificate_that_is_revoked_is_over_at_once(est_client, device):
    first = est_client.using(device.to_x509())
    assert first.simplereenroll(make_csr("sensor-1", key=make_key(index=1))).certificate
    assert first.simplereenroll(make_csr("sensor-1", key=make_key(index=2))).certificate

    revoke(device, "superseded")

    response = first.simplereenroll(make_csr("sensor-1", key=make_key(index=3)))
    assert response.reason == "client-certificate-revoked"


def test_W30_a_revoked_client_certificate_enrolls_nothing(est_client):
    client = IssuedCertificate.objects.get(operation="client")

    revoke(client)

    assert est_client.simpleenroll(make_csr("sensor-1")).reason == "client-certificate-revoked"


def test_a_device_whose_certificate_was_revoked_may_enroll_again(est_client, device):
    revoke(device)

    response = est_client.simpleenroll(make_csr("sensor-1", key=make_key(index=1)))

    assert response.certificate


def test_the_same_request_gets_no_revoked_certificate_back(est_client, device):
    revoke(device, "superseded")

    certificate = est_client.simpleenroll(make_csr("sensor-1")).certificate

    assert f"{certificate.serial_number:x}" != device.serial_number


def test_revoking_twice_keeps_the_first_reason_and_time(device):
    revoke(device, "keyCompromise")
    device.refresh_from_db()
    at = device.revoked_at

    assert not revoke(device, "superseded")

    device.refresh_from_db()
    assert (device.revocation_reason, device.revoked_at) == ("keyCompromise", at)
    assert AuditEvent.objects.filter(action="revoke").count() == 1


@pytest.mark.parametrize("state", [State.INTENT, State.VOID])
def test_what_was_never_issued_cant_be_revoked(device, state):
    IssuedCertificate.objects.filter(pk=device.pk).update(state=state)

    with pytest.raises(OperatorError, match="was never issued"):
        revoke(device)


def test_a_client_revoked_between_intent_and_issue_gets_nothing(est_client, settings):
    signers = {"keyfile": {"BACKEND": "tests.support.plugins.WatchedSigner"}}
    settings.PKI = replace(settings.PKI, signers=signers)
    get_signer.cache_clear()
    client = IssuedCertificate.objects.get(operation="client")
    get_signer("keyfile").before_signature = lambda: revoke(client)

    response = est_client.simpleenroll(make_csr("sensor-1"))

    assert response.reason == "client-certificate-revoked"
    assert IssuedCertificate.objects.for_name("sensor-1").get().state == State.VOID


def test_many_are_revoked_one_by_one(est_client, device):
    est_client.simpleenroll(make_csr("sensor-2", key=make_key(index=1)))
    revoke(device)
    rows = IssuedCertificate.objects.filter(operation="enroll")

    assert revoke_certificates(rows, reason="superseded", actor=TESTER) == 1

    assert {row.state for row in rows.all()} == {State.REVOKED}


def test_a_certificate_is_found_by_serial_number_or_fingerprint(device):
    serial_number = device.serial_number
    even = serial_number.zfill(len(serial_number) + len(serial_number) % 2)
    colons = ":".join(even[i : i + 2] for i in range(0, len(even), 2))

    for text in (
        serial_number,
        colons,
        f"00:{colons}",
        serial_number.upper(),
        f"0x{serial_number}",
        f"dec:{int(serial_number, 16)}",
        device.fingerprint_sha256,
        device.fingerprint_sha256.upper(),
    ):
        assert find_certificate(text) == device


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("12", "on record"), ("ab" * 32, "on record"), ("hello", "is not a serial number")],
)
def test_a_certificate_that_isnt_there_isnt_found(db, text, complaint):
    with pytest.raises(OperatorError, match=complaint):
        find_certificate(text)


def test_one_serial_number_of_two_CAs_asks_for_the_fingerprint(device):
    client = IssuedCertificate.objects.get(operation="client")
    IssuedCertificate.objects.filter(pk=client.pk).update(serial_number=device.serial_number)

    with pytest.raises(OperatorError, match=r"More than one .* Give the fingerprint") as caught:
        find_certificate(device.serial_number)

    assert device.fingerprint_sha256 in str(caught.value)
    assert client.fingerprint_sha256 in str(caught.value)
