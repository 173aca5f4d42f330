"""What happens when two things happen at once. Threads here, processes in test_staleness.

EST_RACE_ROUNDS makes the long run: its number of rounds for each race.
"""

import os
from itertools import count
from time import sleep

import pytest
from cryptography.hazmat.primitives.hashes import SHA256

from pki.authorities.succeed import make_successor
from pki.csr.public_keys import public_key_sha256
from pki.denylist.entries import allow, deny
from pki.exceptions import Busy
from pki.models import CertificateAuthority, CertificateProfile, IssuedCertificate
from pki.record.profile_versions import change_profile
from pki.record.transactions import in_write_transaction
from pki.revocation.revoke import revoke_certificate
from tests.conftest import TESTER
from tests.pki.state.door import IS_POSTGRESQL, Crew, at_once, until_answered
from tests.pki.state.invariants import check_invariants, check_on_record
from tests.pki.state.test_idempotency import other_device  # noqa: F401  # a fixture
from tests.support.builders import make_csr, make_key

State = IssuedCertificate.State
ROUNDS = int(os.environ.get("EST_RACE_ROUNDS") or (300 if IS_POSTGRESQL else 150))
FEW = max(ROUNDS // 10, 15)


def issued_serials(**which):
    """What is, or has been, a certificate: everything but intents and void ones."""
    rows = IssuedCertificate.objects.filter(**which).exclude(state__in=[State.INTENT, State.VOID])
    return set(rows.values_list("serial_number", flat=True))


def persistently(work):
    """An operator repeats what was answered with Busy."""
    while True:
        try:
            return work()
        except Busy:
            sleep(0.01)


@pytest.fixture
def pair():
    """Two threads that race for many rounds."""
    with Crew(2) as crew:
        yield crew.at_once


class Edge:
    """The head start of one of two, which moves to where it is open which of them is first.

    How many milliseconds each takes differs from machine to machine, so fixed pauses may let the
    same one win every time.
    """

    def __init__(self):
        self.milliseconds = 0

    def after(self, operator, device):
        """Return both, of which one waits."""
        pause = self.milliseconds / 1000
        return _after(-pause, device), _after(pause, operator)

    def move(self, reply):
        """Let the operator begin later where it was first, else earlier."""
        if reply.status_code in (200, 403):
            self.milliseconds += 1 if reply.status_code == 403 else -1


def _after(pause, work):
    def run():
        sleep(max(pause, 0))
        return work()

    return run


@pytest.fixture
def deny_now(device):
    """Denies, and returns what was issued to the name when deny had returned."""

    def carry_out(kind, value, name):
        def work():
            persistently(lambda: deny(kind, value, reason="race", actor=TESTER))
            return issued_serials(common_name=name)

        return work

    return carry_out


@pytest.mark.timeout(1200 + ROUNDS)
def test_T16_nothing_is_issued_after_deny_has_returned(device, deny_now, pair):
    edge, outcomes = Edge(), set()
    for number in range(ROUNDS):
        name = f"sensor-{number}"
        csr = make_csr(name, key=make_key(index=number % 8), serial_number=f"SN-{number}")
        kinds = {"name": name, "device-serial": f"sn-{number}"}
        kind = list(kinds)[number % 2]
        denied = deny_now(kind, kinds[kind], name)

        reply, seen_by_deny = pair(*edge.after(denied, lambda csr=csr: device.simpleenroll(csr)))
        edge.move(reply)

        assert reply.status_code in (200, 403, 503), reply.text
        assert issued_serials(common_name=name) == seen_by_deny, "I6"
        assert device.simpleenroll(csr).status_code == 403
        IssuedCertificate.objects.filter(common_name=name).update(
            key_owner=None
        )  # lets the next name use the key
        outcomes.add(reply.status_code)
    assert 200 in outcomes
    assert 403 in outcomes
    check_invariants()


@pytest.mark.parametrize("kind", ["client", "fingerprint", "serial", "key"])
def test_T16_deny_of_a_client_or_key_stops_what_is_under_way(device, deny_now, pair, kind):
    client, edge = device.certificate, Edge()
    for number in range(FEW):
        name, key = f"sensor-{number}", make_key(index=number)
        csr = make_csr(name, key=key)
        value = {
            "client": device.certificate.fingerprint(SHA256()).hex(),
            "fingerprint": device.certificate.fingerprint(SHA256()).hex(),
            "serial": f"{client.serial_number:x}",
            "key": public_key_sha256(key.public_key()),
        }[kind]

        denied = deny_now(kind, value, name)
        reply, seen_by_deny = pair(*edge.after(denied, lambda csr=csr: device.simpleenroll(csr)))
        edge.move(reply)

        assert issued_serials(common_name=name) == seen_by_deny, "I6"
        assert device.simpleenroll(csr).status_code == 403
        allow(kind, value, reason="next round", actor=TESTER)
    check_invariants()


def test_T13_nothing_is_renewed_with_a_certificate_after_its_revocation_has_returned(device, pair):
    edge = Edge()
    for number in range(ROUNDS // 3):
        name, key = f"sensor-{number}", make_key(index=number)
        first = device.simpleenroll(make_csr(name, key=key)).certificate
        row = IssuedCertificate.objects.get(serial_number=f"{first.serial_number:x}")
        # by the device itself, and by the client that enrolled it
        client = device.using(first) if number % 2 else device

        def revoke(row=row, name=name):
            persistently(lambda: revoke_certificate(row, reason="keyCompromise", actor=TESTER))
            return issued_serials(common_name=name)

        csr = make_csr(name, key=key)
        reply, seen = pair(
            *edge.after(revoke, lambda client=client, csr=csr: client.simplereenroll(csr))
        )
        edge.move(reply)

        assert reply.status_code in (200, 403, 503), reply.text
        assert issued_serials(common_name=name) == seen
        assert device.using(first).simplereenroll(make_csr(name, key=key)).status_code == 403
    check_invariants()


def test_I4_renewals_at_once_leave_one_current_certificate(device, pair):
    for number in range(FEW):
        name = f"sensor-{number}"
        first = device.simpleenroll(make_csr(name, key=make_key(index=1000 + number))).certificate
        client = device.using(first)
        csrs = [make_csr(name, key=make_key(index=2 * number + i)) for i in range(2)]

        replies = at_once(
            *[
                lambda client=client, csr=csr: until_answered(lambda: client.simplereenroll(csr))
                for csr in csrs
            ]
        )

        check_on_record([reply.certificate for reply in replies])
        assert IssuedCertificate.objects.for_name(name).current().count() == 1
    check_invariants()


def test_T12_name_that_two_clients_enroll_at_once_has_one_owner(device, other_device, pair):  # noqa: F811
    for number in range(FEW):
        name = f"sensor-{number}"
        csrs = [make_csr(name, key=make_key(index=2 * number + i)) for i in range(2)]

        replies = pair(
            lambda csrs=csrs: until_answered(lambda: device.simpleenroll(csrs[0])),
            lambda csrs=csrs: until_answered(lambda: other_device.simpleenroll(csrs[1])),
        )

        assert sorted(reply.status_code for reply in replies) == [200, 403]
        assert IssuedCertificate.objects.for_name(name).count() == 1
        assert IssuedCertificate.objects.filter(name_owner=name).count() == 1
    check_invariants()


def test_T10_key_that_two_names_enroll_at_once_belongs_to_one(device, pair):
    for number in range(FEW):
        key = make_key(index=number)
        csrs = [make_csr(f"{which}-{number}", key=key) for which in ("left", "right")]

        replies = pair(
            *[lambda csr=csr: until_answered(lambda: device.simpleenroll(csr)) for csr in csrs]
        )

        assert sorted(reply.status_code for reply in replies) == [200, 403]
        refused = next(reply for reply in replies if reply.status_code == 403)
        assert refused.reason == "key-in-use"
    check_invariants()


def test_T38_profile_changes_and_ca_successors_disturb_no_enrollment(device):
    numbers = count()

    def enroll_some():
        certificates = []
        for _ in range(FEW):
            number = next(numbers)
            csr = make_csr(f"sensor-{number}", key=make_key(index=number))
            certificates.append(until_answered(lambda csr=csr: device.simpleenroll(csr)))
        return certificates

    def change_things():
        for number in range(6):
            sleep(0.02)
            if number % 2:
                ca = CertificateAuthority.objects.device().issuing().get()
                persistently(lambda ca=ca: make_successor(ca, actor=TESTER, reason="race"))
            else:
                profile = CertificateProfile.objects.get(active_label="")
                changes = {"validity_days": 100 + number}
                persistently(
                    lambda profile=profile, changes=changes: in_write_transaction(
                        lambda: change_profile(profile, changes, actor=TESTER, reason="race")
                    )
                )
        return []

    *enrolled, _ = at_once(enroll_some, enroll_some, enroll_some, change_things)

    replies = [reply for some in enrolled for reply in some]
    assert {reply.status_code for reply in replies} == {200}, [
        reply.text for reply in replies if reply.status_code != 200
    ]
    # A try that met a change of CA may have left its intent; settle_intents is for those.
    issued = IssuedCertificate.objects.filter(operation="enroll").exclude(state="intent")
    assert issued.count() == len(replies)
    for row in issued.select_related("ca"):
        row.to_x509().verify_directly_issued_by(row.ca.certificate)
    check_on_record([reply.certificate for reply in replies])
    check_invariants()
