"""Random attacks on a small fleet: no name has two holders, and what is stopped stays stopped.

EST_TRUST_EXAMPLES and EST_TRUST_STEPS make the long run.
"""

import os
from collections import Counter
from dataclasses import dataclass, replace

import pytest
from cryptography import x509
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from iotprov.provisioning.desired_state import Goal, desired_state
from iotprov.provisioning.record_facts import read_facts
from pki.authorities.distrust import distrust_authority
from pki.authorities.import_ca import import_authority
from pki.csr.public_keys import public_key_sha256
from pki.denylist.entries import allow, deny
from pki.encoding.certificates import pem_of, with_other_signature
from pki.issuance.rebind import rebind_names
from pki.issuance.release import release_name
from pki.models import CertificateAuthority, CertificateProfile, IssuedCertificate
from pki.operators.errors import OperatorError
from pki.record import audit_trail, snapshot
from pki.record.profile_versions import add_profile, change_profile
from pki.revocation.revoke import revoke_certificate
from tests.conftest import TESTER
from tests.pki.state.trust_oracle import DeviceCertificate, FactoryClient, Oracle, folded
from tests.support.builders import make_ca, make_certificate, make_csr, make_key
from tests.support.est_client import ESTClient

EXAMPLES = int(os.environ.get("EST_TRUST_EXAMPLES") or 12)
STEPS = int(os.environ.get("EST_TRUST_STEPS") or 25)

LINE = "line-1"
"""The common name of the clients, which the rule same-cn grants as a thing name."""
NAMES = ("pump-1", "pump-2", LINE)
SPELLINGS = ("", "SN 7", "sn 7", " SN  7 ", "SN 7 ", "SN 8")
LABELS = ("", "same", "lab")
ACTIVE = {Goal.PROVISIONED, Goal.RENEWED, Goal.LEFT_TO_JITP}


@dataclass(frozen=True)
class Request:
    """What a client or device asks for."""

    operation: str
    label: str
    name: str
    key: int
    serial: str


COUNTS = Counter()
"""Answers by status and reason, which the test looks at in the end."""

requests = st.builds(
    Request,
    operation=st.sampled_from(["simpleenroll", "simplereenroll"]),
    label=st.sampled_from(LABELS),
    name=st.sampled_from(NAMES),
    key=st.integers(0, 3),
    serial=st.sampled_from(SPELLINGS),
)
senders = st.sampled_from(["A1", "A1'", "A2", "B1"])


def key_number(key):
    return make_key("ec-p256", 720 + key)


def key_sha256(key):
    return public_key_sha256(key_number(key).public_key())


def outside_clients():
    """Return CAs and clients: two certificates of one name, one rewritten, one of another CA."""
    cas = {name: make_ca(f"Factory {name}") for name in "AB"}
    made = {}
    for place, identity in enumerate(["A1", "A2", "B1"]):
        key = make_key("ec-p256", 700 + place)
        ca = cas[identity[0]]
        certificate = make_certificate(ca, LINE, public_key=key.public_key())
        made[identity] = FactoryClient(identity, identity[0], LINE, certificate)
    rewritten = x509.load_der_x509_certificate(
        with_other_signature(made["A1"].certificate, cas["A"].certificate)
    )
    made["A1'"] = FactoryClient("A1", "A", LINE, rewritten)
    return cas, made


def make_labels(cas):
    """Import the CAs, and put three labels into force, each for the clients of both CAs."""
    for name, ca in cas.items():
        import_authority(
            CertificateAuthority.Purpose.CLIENT,
            f"factory-{name.lower()}",
            [ca.certificate],
            key=None,
            signer="",
            actor=TESTER,
        )
    default = CertificateProfile.objects.get(active_label="")
    changes = {"client_cas": ["factory-a", "factory-b"]}
    change_profile(default, changes, actor=TESTER, reason="test")
    device_ca = CertificateAuthority.objects.device().get()
    for label, changes in {
        "same": {"identity_rule": "same-cn"},
        "lab": {"identity_rule": "any", "can_adopt_names": True},
    }.items():
        add_profile(
            CertificateProfile(
                name=label,
                label=label,
                ca=device_ca,
                iot_provisioning="register",
                is_key_unique=False,
                idempotency_seconds=0,
                client_cas=["factory-a", "factory-b"],
                **changes,
            ),
            actor=TESTER,
        )


def is_operators_turn(attack):
    """Return whether enough was asked since an operator did anything. Most steps are requests."""
    return attack.asked >= 2


def has_issued(attack):
    """Return whether there is a device certificate."""
    return bool(attack.oracle.issued)


def can_be_denied(attack):
    """Return whether it is the operator's turn, and another entry leaves requests that pass."""
    return is_operators_turn(attack) and len(attack.oracle.denied) < 2


class Attack(RuleBasedStateMachine):
    """Several labels, clients, CAs and spellings, and all that operators do about them."""

    clients: dict

    def __init__(self):
        super().__init__()
        self.oracle = Oracle()
        self.asked = self.steps = 0
        # What an example writes is rolled back: the next one finds the same installation.
        self.transaction = transaction.atomic()
        self.transaction._from_testcase = True  # as Django's TestCase: durable blocks may be inside
        self.transaction.__enter__()

    # Requests: several a step, since one alone rarely meets what was done before

    @rule(requests=st.lists(st.tuples(senders, requests), min_size=1, max_size=4))
    def ask_as_clients(self, requests):
        self.asked += 1
        self.steps += 1
        for sender, request in requests:
            who = self.clients[sender]
            why_not = self.oracle.may_not_enroll(
                who,
                request.name,
                folded(request.serial),
                key_sha256(request.key),
                goes_by_name=request.label == "same",
            )
            if self.is_issued(who.certificate, request, why_not):
                self.oracle.holders.setdefault(request.name, who)

    @precondition(has_issued)
    @rule(requests=st.lists(st.tuples(st.integers(0, 50), requests), min_size=1, max_size=4))
    def ask_as_devices(self, requests):
        self.asked += 1
        self.steps += 1
        for place, request in requests:
            device = self.oracle.issued[place % len(self.oracle.issued)]
            if place < 40:  # most ask for what is theirs
                request = replace(request, name=device.name, serial=device.serial_as_sent)
            why_not = self.oracle.may_not_renew(
                device,
                request.name,
                folded(request.serial),
                key_sha256(request.key),
                request.label,
            )
            self.is_issued(device.certificate, request, why_not)

    def is_issued(self, certificate, request, why_not):
        """Send the request, compare the answer, and return whether it is a certificate."""
        client = ESTClient(certificate, label=request.label)
        reply = getattr(client, request.operation)(self.csr(request))
        COUNTS[reply.status_code, reply.reason if reply.status_code != 200 else ""] += 1
        if reply.status_code != 200:
            allowed = {400, 403, 429} | ({404} if "device" in self.oracle.distrusted else set())
            assert reply.status_code in allowed, reply.text
            return False
        assert not why_not, why_not
        self.remember(reply.certificate, request)
        return True

    def csr(self, request):
        return make_csr(
            request.name, key=key_number(request.key), serial_number=request.serial or None
        )

    def remember(self, certificate, request):
        if any(one.certificate == certificate for one in self.oracle.issued):
            return
        serial = self.row(certificate).device_serial
        self.oracle.issued.append(
            DeviceCertificate(request.name, serial, request.label, certificate)
        )

    def row(self, certificate):
        return IssuedCertificate.objects.get(serial_number=f"{certificate.serial_number:x}")

    # What operators do

    @precondition(can_be_denied)
    @rule(
        kind_and_value=st.sampled_from(
            [
                *(("name", name) for name in NAMES),
                *(("device-serial", serial) for serial in SPELLINGS if serial),
            ]
        )
    )
    def deny(self, kind_and_value):
        self.asked = 0
        kind, value = kind_and_value
        deny(kind, value, reason="test", actor=TESTER)
        self.oracle.denied.add((kind, folded(value)))

    @precondition(can_be_denied)
    @rule(key=st.integers(0, 3))
    def deny_key(self, key):
        self.asked = 0
        deny("key", key_sha256(key), reason="test", actor=TESTER)
        self.oracle.denied.add(("key", key_sha256(key)))

    @precondition(can_be_denied)
    @rule(client=senders)
    def deny_client(self, client):
        self.asked = 0
        who = self.clients[client]
        deny("client", pem_of(who.certificate), reason="test", actor=TESTER)
        self.oracle.denied.add(("client", who.identity))

    @precondition(is_operators_turn)
    @rule(data=st.data())
    def allow(self, data):
        self.asked = 0
        known = sorted(entry for entry in self.oracle.denied if entry[0] != "client")
        if known:
            kind, value = data.draw(st.sampled_from(known))
            assert allow(kind, value, reason="test", actor=TESTER)
            self.oracle.denied.discard((kind, value))

    @precondition(lambda attack: is_operators_turn(attack) and has_issued(attack))
    @rule(data=st.data(), reason=st.sampled_from(["keyCompromise", "superseded"]))
    def revoke(self, data, reason):
        self.asked = 0
        place = data.draw(st.sampled_from(range(len(self.oracle.issued))))
        device = self.oracle.issued[place]
        if device.is_revoked:
            return
        revoke_certificate(self.row(device.certificate), reason=reason, actor=TESTER)
        device.is_revoked = True
        if reason == "keyCompromise":
            self.oracle.denied.add(("key", device.key))

    @precondition(is_operators_turn)
    @rule(old=senders, new=senders)
    def rebind(self, old, new):
        self.asked = 0
        from_, to = self.clients[old], self.clients[new]
        try:
            rebind_names(
                pem_of(from_.certificate), pem_of(to.certificate), reason="test", actor=TESTER
            )
        except OperatorError:
            return
        for name, holder in self.oracle.holders.items():
            if holder.identity == from_.identity:
                self.oracle.holders[name] = to

    @precondition(lambda attack: is_operators_turn(attack) and has_issued(attack))
    @rule(
        place=st.integers(0, 50),
        to=st.sampled_from(["", "A1", "A2", "B1"]),
        is_revoking=st.booleans(),
    )
    def release(self, place, to, is_revoking):
        self.asked = 0
        name = self.oracle.issued[place % len(self.oracle.issued)].name
        live = self.live_certificates_of(name)
        reserved = pem_of(self.clients[to].certificate) if to else ""
        try:
            release_name(name, reason="test", actor=TESTER, to=reserved, is_revoking=is_revoking)
        except OperatorError:
            return
        assert is_revoking or not live
        for device in live:
            device.is_revoked = True
        self.oracle.holders.pop(name, None)
        if to:
            self.oracle.holders[name] = self.clients[to]

    def live_certificates_of(self, name):
        """Return the certificates of the name that authenticate somebody."""
        live = IssuedCertificate.objects.live()
        serials = set(live.for_name(name).values_list("serial_number", flat=True))
        return [
            device
            for device in self.oracle.issued
            if f"{device.certificate.serial_number:x}" in serials
        ]

    @precondition(lambda attack: is_operators_turn(attack) and attack.steps > 8)
    @rule(name=st.sampled_from(["A", "A", "B", "B", "device"]))
    def distrust(self, name):
        self.asked = -2  # what follows shows what it has done
        rows = CertificateAuthority.objects
        ca = rows.device().get() if name == "device" else rows.get(name=f"factory-{name.lower()}")
        distrust_authority(ca, reason="test", actor=TESTER)
        self.oracle.distrusted.add(name)

    # What holds after every step

    @invariant()
    def no_name_has_two_holders(self):
        held = IssuedCertificate.objects.exclude(name_owner=None).exclude(operation="client")
        found = {row.name_owner: row.holder_signed_sha256 for row in held}
        wanted = {
            folded(name): holder.signed_sha256 for name, holder in self.oracle.holders.items()
        }
        assert found == wanted
        assert held.count() == len(found)

    @invariant()
    def what_is_stopped_is_not_active_in_aws_iot(self):
        now = timezone.now()
        serials = {f"{one.certificate.serial_number:x}": one for one in self.oracle.issued}
        rows = IssuedCertificate.objects.filter(serial_number__in=serials)
        rows = list(rows.select_related("profile").defer("csr_der"))
        assert len(rows) == len(serials)
        for row in rows:
            device = serials[row.serial_number]
            assert row.to_x509() == device.certificate
            assert (row.state == "revoked") == device.is_revoked
            if row.profile.iot_provisioning == "register" and self.oracle.is_stopped(device):
                assert desired_state(read_facts(row.pk, "default", now), now).goal not in ACTIVE

    def teardown(self):
        transaction.set_rollback(True)
        self.transaction.__exit__(None, None, None)
        snapshot.forget()
        audit_trail.start_new_chain()


@pytest.mark.timeout(36_000)
def test_T39_to_T46_no_name_has_two_holders_and_what_is_stopped_stays_stopped(
    installation, settings, monkeypatch
):
    # The machine asks what AWS IoT should hold. No call is made.
    settings.IOT = replace(settings.IOT, targets=())
    cas, clients = outside_clients()
    make_labels(cas)
    monkeypatch.setattr(Attack, "clients", clients, raising=False)

    run_state_machine_as_test(
        Attack,
        settings=hypothesis_settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            phases=[Phase.explicit, Phase.generate],
            database=None,
            derandomize="EST_TRUST_EXAMPLES" not in os.environ,
            suppress_health_check=list(HealthCheck),
        ),
    )
    # A machine whose requests are all refused shows nothing.
    assert COUNTS[200, ""] > EXAMPLES
