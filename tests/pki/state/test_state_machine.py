"""Random lives of a small fleet, compared with the model after every step (I1 to I5, I8, I10).

EST_STATE_EXAMPLES and EST_STATE_STEPS make the long run.
"""

import os
from datetime import timedelta
from itertools import count

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from pki.authorities.succeed import make_successor
from pki.denylist.entries import allow, deny
from pki.issuance.release import release_name
from pki.models import CertificateAuthority, IssuedCertificate
from pki.record.intents import settle_intents
from pki.revocation.revoke import revoke_certificate
from tests.conftest import TESTER
from tests.pki.state.invariants import check_invariants, check_on_record, check_signed
from tests.pki.state.model import Model, Row
from tests.pki.state.signers import TestSigner, unavailable
from tests.pki.state.test_idempotency import other_device  # noqa: F401  # a fixture
from tests.support.builders import make_csr, make_key

EXAMPLES = int(os.environ.get("EST_STATE_EXAMPLES") or 25)
STEPS = int(os.environ.get("EST_STATE_STEPS") or 25)

names = st.sampled_from(["a", "b"])
keys = st.integers(0, 1)
clients = st.sampled_from(["first", "first", "second"])
failures = st.sampled_from([None, None, "before", "after"])

_examples = count()
_csrs = {}


class Fleet(RuleBasedStateMachine):
    """Two names, two clients, and everything that happens to them."""

    door: dict  # the EST clients, by name
    clock: list  # one number: the seconds by which time has been moved

    def __init__(self):
        super().__init__()
        self.example = next(_examples)
        self.model = Model()
        self.certificates = {}  # of each serial number that was ever answered
        self.clock[0] = 0

    def thing(self, name):
        return f"e{self.example}-{name}"

    def csr(self, name, key):
        index = 4 * self.example + 2 * (name == "b") + key
        if (name, index) not in _csrs:
            _csrs[name, index] = make_csr(self.thing(name), key=make_key(index=index))
        return _csrs[name, index]

    def send(self, operation, name, key, client, failure):
        """One request, to the server and to the model."""
        model, csr = self.model, self.csr(name, key)
        if isinstance(client, Row):
            est = self.door["first"].using(self.certificates[client.serial_number])
            who = client.serial_number
        else:
            est, who = self.door[client], client
        request = (operation, who, csr)

        TestSigner.before = staticmethod(unavailable if failure == "before" else lambda: None)
        TestSigner.after = staticmethod(unavailable if failure == "after" else lambda: None)
        reply = getattr(est, f"simple{operation}")(csr)

        refusal = model.refusal(operation, name, client, csr)
        if refusal is not None:
            assert (reply.status_code, reply.reason) == (403, refusal)
            return
        row = model.answer(request)
        if row is None:
            row = model.record_intent(self.newest(name), operation, name, client, request)
        if row.state == "intent" and failure:
            assert (reply.status_code, reply.reason) == (503, "signer-unavailable")
            return
        if row.state == "intent":
            model.issue(row)
        certificate = reply.certificate
        assert f"{certificate.serial_number:x}" == row.serial_number
        assert self.certificates.setdefault(row.serial_number, certificate) == certificate

    def newest(self, name):
        """The serial number of the row that the server must have just written."""
        known = [row.serial_number for row in self.model.rows]
        rows = IssuedCertificate.objects.for_name(self.thing(name))
        return rows.exclude(serial_number__in=known).get().serial_number

    @rule(name=names, key=keys, client=clients, failure=failures)
    def enroll(self, name, key, client, failure):
        self.send("enroll", name, key, client, failure)

    @rule(name=names, key=keys, client=clients, failure=failures)
    def reenroll_by_client(self, name, key, client, failure):
        self.send("reenroll", name, key, client, failure)

    @rule(data=st.data(), key=keys, failure=failures)
    def reenroll_by_device(self, data, key, failure):
        """With any certificate that a device was ever given."""
        held = [row for row in self.model.rows if row.serial_number in self.certificates]
        if held:
            row = data.draw(st.sampled_from(held))
            self.send("reenroll", row.name, key, row, failure)

    @rule(name=names)
    def deny(self, name):
        deny("name", self.thing(name), reason="test", actor=TESTER)
        self.model.deny(name)

    @rule(name=names)
    def allow(self, name):
        allow("name", self.thing(name), reason="test", actor=TESTER)
        self.model.denied.discard(name)

    @rule(name=names, is_compromised=st.booleans())
    def revoke(self, name, is_compromised):
        """For a compromised key, which ends all certificates over it (T44), or for less."""
        row = self.model.current(name)
        if row is not None:
            certificate = IssuedCertificate.objects.get(serial_number=row.serial_number)
            reason = "keyCompromise" if is_compromised else "superseded"
            revoke_certificate(certificate, reason=reason, actor=TESTER)
            self.model.revoke(row, is_compromised)

    @rule(name=names)
    def release(self, name):
        """The name is free then, and its live certificates are revoked (T45)."""
        if name in self.model.owners:
            release_name(self.thing(name), reason="test", actor=TESTER, is_revoking=True)
            self.model.release(name)

    @rule()
    def succeed_ca(self):
        ca = CertificateAuthority.objects.device().issuing().get()
        make_successor(ca, actor=TESTER, reason="test")
        self.model.ca += 1

    @rule(seconds=st.sampled_from([1, 700, 7200, 8 * 86400]))
    def let_time_pass(self, seconds):
        self.clock[0] += seconds
        self.model.now += seconds

    @rule()
    def settle(self):
        settle_intents()
        self.model.settle()

    @invariant()
    def states_are_the_models(self):
        """I1 to I5: nothing lost, nothing twice, nothing goes back."""
        rows = IssuedCertificate.objects.filter(common_name__startswith=f"e{self.example}-")
        on_record = dict(rows.values_list("serial_number", "state"))
        assert on_record == {row.serial_number: row.state for row in self.model.rows}
        owners = rows.exclude(name_owner=None).values_list("name_owner", "serial_number")
        assert dict(owners) == {
            self.thing(name): row.serial_number for name, row in self.model.owners.items()
        }

    def teardown(self):
        check_on_record(self.certificates.values())
        check_signed(TestSigner.signed)
        check_invariants()


@pytest.mark.timeout(36_000)
def test_I1_I2_I3_I4_I5_I8_I10_any_life_of_a_fleet(device, other_device, monkeypatch):  # noqa: F811
    real, clock = timezone.now, [0]
    monkeypatch.setattr(timezone, "now", lambda: real() + timedelta(seconds=clock[0]))
    monkeypatch.setattr(Fleet, "door", {"first": device, "second": other_device}, raising=False)
    monkeypatch.setattr(Fleet, "clock", clock, raising=False)
    for place in ("before", "after"):
        monkeypatch.setattr(TestSigner, place, getattr(TestSigner, place))

    run_state_machine_as_test(
        Fleet,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            # A shorter failing life isn't looked for: each try costs a second of database work.
            phases=[Phase.explicit, Phase.generate],
            database=None,
            derandomize="EST_STATE_EXAMPLES" not in os.environ,
            suppress_health_check=list(HealthCheck),
        ),
    )
