"""What a test enrollment may touch, without a server. `tests/interop` runs whole ones."""

import datetime
import socket

import pytest

from estserver.operations.est_address import ESTAddress, est_address
from estserver.tools.enrollment_test import ACTION, EnrollmentTest, clean_up, made_by_test
from pki.issuance.client_certificates import sign_client_csr
from pki.models import AuditEvent, IssuedCertificate
from pki.operators.errors import OperatorError
from pki.record import audit_trail
from pki.record.transactions import in_write_transaction
from pki.revocation.revoke import revoke_certificate
from tests.conftest import TESTER
from tests.support.builders import make_csr, make_key

NOWHERE = ESTAddress("localhost", 1, None)


@pytest.fixture
def tested(installation, est_client):
    """A test enrollment of bench-1, as far as the record has it."""
    csr = make_csr("bench-1", key=make_key("ec-p256", 50))
    client = sign_client_csr(csr, validity=datetime.timedelta(days=1), actor=TESTER)
    in_write_transaction(
        lambda: audit_trail.record(
            ACTION,
            actor=TESTER,
            target="thing:bench-1",
            after={"client": client.fingerprint_sha256},
        )
    )
    as_client = est_client.using(client.to_x509())
    first = as_client.simpleenroll(make_csr("bench-1", key=make_key("ec-p256", 51)))
    device = est_client.using(first.certificate)
    device.simplereenroll(make_csr("bench-1", key=make_key("ec-p256", 52)))
    return client


def states(name):
    rows = IssuedCertificate.objects.filter(common_name=name).order_by("id")
    return [row.state for row in rows]


def test_clean_up_revokes_the_client_and_what_it_enrolled_and_renewed(tested):
    assert len(made_by_test("bench-1")) == 3

    clean_up("bench-1", actor=TESTER)

    assert states("bench-1") == ["revoked", "revoked", "revoked"]
    comments = AuditEvent.objects.filter(action="revoke").values_list("reason", flat=True)
    assert set(comments) == {"cessationOfOperation: test enrollment"}


def test_clean_up_leaves_a_device_alone_that_took_the_name(
    tested, est_client, change_default_profile
):
    change_default_profile(can_rebind_names=True)
    device = est_client.simpleenroll(make_csr("bench-1", key=make_key("ec-p256", 60)))
    assert device.status_code == 200

    clean_up("bench-1", actor=TESTER)

    assert states("bench-1") == ["revoked", "revoked", "revoked", "issued"]


def test_clean_up_after_a_part_of_it_goes_on(tested):
    revoke_certificate(made_by_test("bench-1")[2], reason="superseded", actor=TESTER)

    assert len(clean_up("bench-1", actor=TESTER)) == 2
    assert clean_up("bench-1", actor=TESTER) == []


def test_clean_up_takes_nothing_that_no_test_made(est_client):
    est_client.simpleenroll(make_csr("sensor-1"))

    with pytest.raises(OperatorError, match="no test enrollment"):
        clean_up("sensor-1", actor=TESTER)
    assert states("sensor-1") == ["issued"]


@pytest.mark.parametrize("label", ["../elsewhere", "a b", "a\r\nHost: x", "@x", "a?b"])
def test_T92_a_label_cannot_change_where_or_what_is_asked(label, installation):
    with pytest.raises(OperatorError, match="cannot be a label"):
        list(EnrollmentTest(NOWHERE, TESTER, "bench-1", label).steps())


@pytest.mark.parametrize(
    ("name", "said"), [("sensor-1", "on record"), ("SENSOR-1", "on record"), ("a b", "thing name")]
)
def test_a_name_on_record_is_refused_before_anything_is_made(name, said, est_client, contents):
    est_client.simpleenroll(make_csr("sensor-1"))
    before = contents()

    with pytest.raises(OperatorError, match=said):
        list(EnrollmentTest(NOWHERE, TESTER, name).steps())
    assert contents() == before


def test_T92_a_test_connects_to_the_address_of_this_installation_alone(
    installation, monkeypatch, settings
):
    asked = []

    def refuse(address, *_, **__):
        asked.append(address)
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket, "create_connection", refuse)
    address = est_address()

    test = EnrollmentTest(address, TESTER, "bench-1", label="line-1")
    rows = [timed.row for timed in test.steps()]

    assert set(asked) == {(address.host, address.port)}
    assert [row.level for row in rows] == ["OK", "FAIL"]
    assert test.is_unreachable


def test_a_test_that_fails_is_on_the_trail_as_failed(installation):
    test = EnrollmentTest(NOWHERE, TESTER, "bench-1")

    list(test.steps())

    trail = AuditEvent.objects.filter(target="thing:bench-1").order_by("id")
    assert [(event.action, event.reason) for event in trail] == [
        ("test-enroll", "a test enrollment, no device"),
        ("test-enroll-ended", "failed"),
    ]
    assert len(clean_up("bench-1", actor=TESTER)) == 1
