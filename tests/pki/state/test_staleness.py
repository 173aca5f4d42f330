"""T38: what one process changes, the next request in another process obeys."""

import base64

import pytest

from pki.authorities.succeed import make_successor
from pki.denylist.entries import allow, deny
from pki.models import CertificateAuthority, CertificateProfile, IssuedCertificate
from pki.record.profile_lockouts import EVERY_SETTING
from pki.record.profile_versions import change_profile
from pki.record.transactions import in_write_transaction
from pki.revocation.revoke import revoke_certificate
from tests.conftest import TESTER
from tests.pki.state.child import child_process
from tests.pki.state.invariants import check_invariants
from tests.support.builders import make_csr, make_key
from tests.support.est_client import _response


@pytest.fixture
def other_process(device, data_dir):
    """Sends to a second process, which has served before, so that all it keeps is kept."""
    with child_process(data_dir) as child:

        def send(client, operation, body=b""):
            method, encoded = ("POST", base64.encodebytes(body)) if body else ("GET", b"")
            headers = {"Content-Type": "application/pkcs10"}
            event = client.event(method, client.url(operation), encoded, headers)
            return _response(child.ask(event))

        first = send(device, "simpleenroll", make_csr("warm-up", key=make_key(index=99)))
        assert first.status_code == 200
        yield send


def test_T38_deny_and_allow_hold_at_once_elsewhere(device, other_process):
    deny("name", "sensor-1", reason="stolen", actor=TESTER)
    refused = other_process(device, "simpleenroll", make_csr("sensor-1"))

    allow("name", "sensor-1", reason="found", actor=TESTER)
    granted = other_process(device, "simpleenroll", make_csr("sensor-1"))

    assert (refused.status_code, refused.reason) == (403, "device-denied")
    assert granted.status_code == 200


def test_T38_revocation_holds_at_once_elsewhere(device, other_process):
    first = other_process(device, "simpleenroll", make_csr("sensor-1")).certificate
    row = IssuedCertificate.objects.get(serial_number=f"{first.serial_number:x}")
    revoke_certificate(row, reason="keyCompromise", actor=TESTER)

    refused = other_process(device.using(first), "simplereenroll", make_csr("sensor-1"))

    assert (refused.status_code, refused.reason) == (403, "client-certificate-revoked")


def test_T38_profile_change_holds_at_once_elsewhere(device, other_process):
    profile = CertificateProfile.objects.get(active_label="")
    changes = {"key_algorithms": ["ec-p384"]}
    in_write_transaction(
        lambda: change_profile(
            profile, changes, actor=TESTER, reason="policy", confirmed=EVERY_SETTING
        )
    )

    refused = other_process(device, "simpleenroll", make_csr("sensor-1"))

    assert (refused.status_code, refused.reason) == (400, "key-not-allowed")


def test_T38_successor_ca_issues_and_is_published_at_once_elsewhere(device, other_process):
    old = CertificateAuthority.objects.device().get()
    new = make_successor(old, actor=TESTER, reason="test")

    certificate = other_process(device, "simpleenroll", make_csr("sensor-1")).certificate
    published = other_process(device, "cacerts").certificates

    certificate.verify_directly_issued_by(new.certificate)
    assert {new.certificate, old.certificate} <= set(published)


def test_T18_other_process_gives_the_same_answer_to_the_same_request(device, other_process):
    csr = make_csr("sensor-1")

    here = device.simpleenroll(csr).certificate
    there = other_process(device, "simpleenroll", csr).certificate

    assert here == there


def test_I8_processes_write_one_trail(device, other_process):
    for number in range(5):
        csr = make_csr(f"sensor-{number}", key=make_key(index=number))
        assert other_process(device, "simpleenroll", csr).status_code == 200
        csr = make_csr(f"probe-{number}", key=make_key(index=10 + number))
        assert device.simpleenroll(csr).status_code == 200

    check_invariants()
