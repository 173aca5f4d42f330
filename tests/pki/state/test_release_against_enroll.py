"""A release that races with its holder's requests leaves the holder no certificate (T45)."""

from threading import Event
from time import sleep

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from pki.issuance.release import release_name
from pki.models import IssuedCertificate
from pki.operators.errors import OperatorError
from pki.revocation.revoke import revoke_certificate
from tests.conftest import TESTER
from tests.pki.state.door import Crew, at_once, until_answered
from tests.pki.state.faults import trap
from tests.pki.state.invariants import check_invariants
from tests.pki.state.test_idempotency import other_device  # noqa: F401  # a fixture
from tests.pki.state.test_races import FEW, persistently
from tests.support.builders import make_csr, make_key
from tests.support.est_client import ESTClient

State = IssuedCertificate.State
HELD = 0.4  # seconds


def release(name, **terms):
    """Release, and return whether it was done: it is refused while a certificate is live."""
    try:
        persistently(lambda: release_name(name, reason="race", actor=TESTER, **terms))
    except OperatorError:
        return False
    return True


def live(name):
    return IssuedCertificate.objects.for_name(name).live()


def revoked(device, name, key):
    """A name that the device's client holds, without a live certificate."""
    device.simpleenroll(make_csr(name, key=make_key(index=key)))
    for row in live(name):
        revoke_certificate(row, reason="superseded", actor=TESTER)


@pytest.mark.timeout(600)
def test_T45_a_name_is_released_or_enrolled_and_never_both(device, other_device):  # noqa: F811
    outcomes = set()
    with Crew(2) as pair:
        for number in range(FEW):
            name = f"sensor-{number}"
            revoked(device, name, 3 * number)
            csr = make_csr(name, key=make_key(index=3 * number + 1))

            def let_go(name=name, delay=(number % 15) / 1000):
                sleep(delay)
                return release(name)

            reply, is_released = pair.at_once(lambda csr=csr: device.simpleenroll(csr), let_go)

            assert reply.status_code in (200, 403, 503), reply.text
            holders = {row.name_owner for row in live(name)}
            if is_released:  # if the holder has one, it took the free name anew
                assert holders <= {name}
                assert reply.status_code == 200 or not holders
            else:
                assert len(holders) == 1
            outcomes.add(is_released)
            csr = make_csr(name, key=make_key(index=3 * number + 2))
            taken = until_answered(lambda csr=csr: other_device.simpleenroll(csr))
            assert taken.status_code == (403 if holders else 200)
    assert True in outcomes
    check_invariants()


@pytest.mark.parametrize("to_other", [False, True])
@pytest.mark.parametrize("point", ["during-signature", "after-signature"])
def test_T45_what_the_holder_began_before_the_release_is_not_issued(
    device,
    other_device,  # noqa: F811
    point,
    to_other,
):
    revoked(device, "sensor-1", 1)
    terms = {"to": _pem(other_device)} if to_other else {}

    with trap(point, lambda: release("sensor-1", **terms)) as sprung:
        refused = device.simpleenroll(make_csr("sensor-1", key=make_key(index=2)))

    assert sprung.sprung
    assert refused.status_code == (403 if to_other else 503)
    assert not live("sensor-1").exists()
    assert not IssuedCertificate.objects.filter(state=State.INTENT).exists()
    csr = make_csr("sensor-1", key=make_key(index=3))
    assert other_device.simpleenroll(csr).status_code == 200
    check_invariants()


def test_T45_a_release_waits_for_the_certificate_that_is_being_issued(device):
    revoked(device, "sensor-1", 1)
    held, released = Event(), Event()

    def hold():
        held.set()
        released.wait(HELD)

    def send():
        with trap("before-issued", hold):
            return device.simpleenroll(make_csr("sensor-1", key=make_key(index=2)))

    def let_go():
        held.wait(10)
        is_released = release("sensor-1")
        released.set()
        return is_released, live("sensor-1").count()

    reply, (is_released, count) = at_once(send, let_go)

    assert live("sensor-1").count() == count
    assert is_released == (reply.status_code != 200)
    check_invariants()


def _pem(client: ESTClient) -> str:
    return client.certificate.public_bytes(Encoding.PEM).decode()
