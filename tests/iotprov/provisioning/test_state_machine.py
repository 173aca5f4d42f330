"""Random lives of two devices with faults at AWS: an empty outbox means that AWS IoT agrees (I9).

EST_STATE_EXAMPLES and EST_STATE_STEPS make the long run.
"""

import os
from datetime import timedelta
from itertools import count

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, Phase, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from iotprov.models import Provisioning
from iotprov.provisioning import worker
from iotprov.provisioning.worker import drain
from pki.denylist.entries import allow, deny
from pki.models import IssuedCertificate
from pki.revocation.revoke import revoke_certificate
from tests.conftest import TESTER
from tests.iotprov.cloud import Held, active, record, settle_all
from tests.iotprov.provisioning.test_faults import CALLS
from tests.support.aws_faults import Fault, failing
from tests.support.builders import make_csr, make_key

EXAMPLES = int(os.environ.get("EST_STATE_EXAMPLES") or 5)
STEPS = int(os.environ.get("EST_STATE_STEPS") or 15)
OVERLAP = timedelta(days=7)
KEPT = timedelta(days=30)

State = IssuedCertificate.State

modes = st.sampled_from(["register", "jitp"])
picks = st.integers(0, 5)
faults = st.none() | st.tuples(
    st.sampled_from([call.partition(":")[2] for call in CALLS["life"]]),
    st.sampled_from(list(Fault)),
    st.integers(1, 3),
)

_examples = count()
_keys = count()


class Devices(RuleBasedStateMachine):
    """One device that is registered, one that AWS IoT provisions when it connects."""

    cloud: object
    est_client: object
    in_mode: object
    clock: object

    def __init__(self):
        super().__init__()
        self.example = next(_examples)
        self.certificates = {"register": [], "jitp": []}
        self.denied = set()
        self.moved = timedelta()
        worker._breaker.reset()

    def teardown(self):
        self.clock(seconds=-self.moved.total_seconds())

    def name(self, mode):
        return f"e{self.example}-{mode}"

    def current(self, mode):
        """The certificate that the device would renew with, if it may."""
        usable = [one for one in self.certificates[mode] if record(one).state == State.ISSUED]
        assume(usable and mode not in self.denied)
        return usable[-1]

    # What happens

    @rule(mode=modes, fault=faults)
    def enroll(self, mode, fault):
        assume(mode not in self.denied)
        self.send(mode, fault, self.est_client.simpleenroll)

    @rule(mode=modes, fault=faults)
    def renew(self, mode, fault):
        self.send(mode, fault, self.est_client.using(self.current(mode)).simplereenroll)

    def send(self, mode, fault, operation):
        self.in_mode(mode, validity_days=3000)
        csr = make_csr(self.name(mode), key=make_key(index=1000 + next(_keys)))
        with self.failing(fault):
            response = operation(csr)
        assert response.status_code == 200, response.text
        self.certificates[mode].append(response.certificate)
        self.agree()

    @rule(mode=modes, pick=picks, fault=faults)
    def revoke(self, mode, pick, fault):
        assume(self.certificates[mode])
        row = record(self.certificates[mode][pick % len(self.certificates[mode])])
        revoke_certificate(row, reason="keyCompromise", actor=TESTER)
        self.agree(fault)

    @rule(mode=modes, fault=faults)
    def deny_or_allow(self, mode, fault):
        change = allow if mode in self.denied else deny
        change("name", self.name(mode), reason="test", actor=TESTER)
        self.denied ^= {mode}
        self.agree(fault)

    @rule(days=st.integers(1, 40), fault=faults)
    def wait(self, days, fault):
        self.moved += timedelta(days=days)
        self.clock(days=days)
        self.agree(fault)

    @rule(pick=picks)
    def connect(self, pick):
        """The device of JITP connects; AWS IoT takes whatever it doesn't know for a new one."""
        assume(self.certificates["jitp"])
        certificate = self.certificates["jitp"][pick % len(self.certificates["jitp"])]
        row = record(certificate)
        if row.fingerprint_sha256 not in self.cloud.ids():
            assert row.state != State.REVOKED
            assert "jitp" not in self.denied
            assert row.state == State.ISSUED or timezone.now() < row.superseded_at + OVERLAP
            self.cloud.connect_first(certificate)

    # What must hold

    def failing(self, fault):
        operation, what, times = fault or ("DescribeEndpoint", Fault.TIMEOUT, 0)
        return failing("iot", operation, what, times=times)

    def agree(self, fault=None):
        """Drain, through a fault and after it, and compare."""
        with self.failing(fault):
            drain()
        settle_all()
        ids = self.cloud.ids()
        on_record = IssuedCertificate.objects.exclude(fingerprint_sha256=None)
        assert ids <= set(on_record.values_list("fingerprint_sha256", flat=True))
        assert len(self.cloud.things()) == len(set(self.cloud.things()))
        for mode, certificates in self.certificates.items():
            for row in map(record, certificates):
                is_there = row.fingerprint_sha256 in ids
                found = self.cloud.held_of(row.fingerprint_sha256) if is_there else None
                assert self.is_right(mode, row, found), (row, row.state, mode, found)

    def is_right(self, mode, row, held):
        now, in_use = timezone.now(), active(self.name(mode))
        is_jitp = mode == "jitp"
        if row.state == State.REVOKED:
            return held == Held("REVOKED")
        end = row.superseded_at + OVERLAP if row.state == State.SUPERSEDED else None
        if end and end + KEPT <= now:
            return held == Held("INACTIVE") if is_jitp else held is None
        if end and end <= now:
            note = Provisioning.objects.get(certificate=row).note
            waits_for_successor = note.startswith("Still ACTIVE") and is_jitp
            if waits_for_successor:
                return held == in_use
            return held.status == "INACTIVE" if held else not is_jitp
        if mode in self.denied:
            return held is not None and held.status == "INACTIVE"
        return held == in_use or (is_jitp and held is None)


@pytest.mark.timeout(300 + 4 * EXAMPLES * STEPS)
def test_I9_whatever_happens_an_empty_outbox_means_that_aws_iot_agrees(
    cloud, est_client, in_mode, clock
):
    Devices.cloud, Devices.est_client = cloud, est_client
    Devices.in_mode, Devices.clock = staticmethod(in_mode), staticmethod(clock)
    run_state_machine_as_test(
        Devices,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.generate],
            print_blob=True,
        ),
    )
