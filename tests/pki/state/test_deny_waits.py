"""I6, without luck: an enrollment is held just before it commits, and deny is called meanwhile.

What is being issued at that moment may be issued, but then deny must wait for it: when deny (or
revoke) has returned, nothing further is issued.
"""

from threading import Event

import pytest
from cryptography.hazmat.primitives.hashes import SHA256

from pki.csr.public_keys import public_key_sha256
from pki.denylist.entries import deny
from pki.models import IssuedCertificate
from pki.revocation.revoke import revoke_certificate
from tests.conftest import TESTER
from tests.pki.state.door import at_once
from tests.pki.state.faults import trap
from tests.pki.state.invariants import check_invariants
from tests.pki.state.test_races import issued_serials
from tests.support.builders import make_csr, make_key

NAME, KEY = "sensor-1", 1
HELD = 0.4  # seconds; a deny that doesn't wait is through long before


def race(send, stop):
    """Hold ``send`` before its commit while ``stop`` runs; returns what was issued at its end."""
    held, stopped = Event(), Event()

    def hold():
        held.set()
        stopped.wait(HELD)

    def send_held():
        with trap("before-issued", hold) as sprung:
            reply = send()
        assert sprung.sprung
        return reply

    def stop_meanwhile():
        held.wait(10)
        stop()
        stopped.set()
        return issued_serials(common_name=NAME)

    return at_once(send_held, stop_meanwhile)


def enrolled(device):
    """The device's first certificate, and its row."""
    certificate = device.simpleenroll(make_csr(NAME, key=make_key(index=KEY))).certificate
    serial_number = f"{certificate.serial_number:x}"
    return certificate, IssuedCertificate.objects.get(serial_number=serial_number)


@pytest.mark.parametrize(
    "kind", ["name", "device-serial", "key", "client", "fingerprint", "serial"]
)
def test_T16_deny_waits_for_the_enrollment_that_is_being_issued(device, kind):
    key = make_key(index=KEY)
    value = {
        "name": NAME,
        "device-serial": "sn-1",
        "key": public_key_sha256(key.public_key()),
        "client": device.certificate.fingerprint(SHA256()).hex(),
        "fingerprint": device.certificate.fingerprint(SHA256()).hex(),
        "serial": f"{device.certificate.serial_number:x}",
    }[kind]
    csr = make_csr(NAME, key=key, serial_number="SN-1")

    reply, seen = race(
        lambda: device.simpleenroll(csr),
        lambda: deny(kind, value, reason="race", actor=TESTER),
    )

    # SERIALIZABLE may let the deny win: then there is no certificate at all
    assert reply.status_code == (200 if seen else 403), reply.text
    assert issued_serials(common_name=NAME) == seen, "I6"
    check_invariants()


@pytest.mark.parametrize("kind", ["fingerprint", "serial"])
def test_T16_deny_of_a_certificate_waits_for_its_renewal_by_the_bound_client(device, kind):
    _, row = enrolled(device)
    value = {"fingerprint": row.fingerprint_sha256, "serial": row.serial_number}[kind]

    _, seen = race(
        lambda: device.simplereenroll(make_csr(NAME)),
        lambda: deny(kind, value, reason="race", actor=TESTER),
    )

    assert issued_serials(common_name=NAME) == seen, "I6"


@pytest.mark.parametrize("by", ["device", "bound client"])
def test_T13_revocation_waits_for_the_renewal_that_is_being_issued(device, by):
    certificate, row = enrolled(device)
    client = device.using(certificate) if by == "device" else device

    _, seen = race(
        lambda: client.simplereenroll(make_csr(NAME)),
        lambda: revoke_certificate(row, reason="keyCompromise", actor=TESTER),
    )

    assert issued_serials(common_name=NAME) == seen
    row.refresh_from_db()
    assert row.state == IssuedCertificate.State.REVOKED
    check_invariants()


@pytest.mark.parametrize(
    ("reason", "code"), [("superseded", "nothing-to-renew"), ("keyCompromise", "device-denied")]
)
def test_T13_renewal_of_a_certificate_revoked_meanwhile_is_refused_in_words(
    device, signer, monkeypatch, reason, code
):
    _, row = enrolled(device)

    def revoke():
        revoke_certificate(row, reason=reason, actor=TESTER)

    monkeypatch.setattr(signer, "after", staticmethod(revoke))
    reply = device.simplereenroll(make_csr(NAME))

    assert (reply.status_code, reply.reason) == (403, code)
    check_invariants()
