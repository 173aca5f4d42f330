"""T20: whatever fails at AWS, and whenever, the end is the same: AWS holds what the record says."""

import os
import random
from collections import Counter

import pytest

from iotprov import client as iot_client
from iotprov.models import Provisioning
from iotprov.provisioning import worker
from pki.denylist.entries import allow, deny
from pki.revocation.revoke import revoke_certificate
from tests.conftest import TESTER
from tests.iotprov.cloud import GROUP, Held, active, record, settle_all
from tests.iotprov.conftest import template
from tests.support.aws_faults import Fault, aws_calls, failing
from tests.support.builders import make_csr, make_key

SEEDS = int(os.environ.get("EST_FAULT_SEEDS", "2"))
"""Of each pair of call and fault; by hand more."""

CALLS = {
    "life": [
        "iot:AddThingToThingGroup",
        "iot:AttachPolicy",
        "iot:AttachThingPrincipal",
        "iot:CreateThing",
        "iot:DeleteCertificate",
        "iot:DescribeCertificate",
        "iot:DescribeThing",
        "iot:DetachPolicy",
        "iot:DetachThingPrincipal",
        "iot:ListAttachedPolicies",
        "iot:ListPrincipalThingsV2",
        "iot:RegisterCertificate",
        "iot:UpdateCertificate",
    ],
    "adoption": [
        "iot:ListThingGroupsForThing",
        "iot:ListThingPrincipals",
        "iot:RemoveThingFromThingGroup",
        "iot:UpdateThing",
        "sts:GetCallerIdentity",
    ],
}


class Life:
    """Everything that can happen to a device, each step followed until AWS IoT agrees."""

    def __init__(self, cloud, est_client, clock):
        self.cloud, self.est_client, self.clock = cloud, est_client, clock

    def live(self, name, keys):
        """One device; the certificates it leaves in AWS IoT."""
        first = self._enroll(self.est_client.simpleenroll, name, next(keys))
        second = self._enroll(self.est_client.using(first).simplereenroll, name, next(keys))
        in_use = active(name)
        self._check(name, {first: in_use, second: in_use})

        deny("name", name, reason="stolen", actor=TESTER)
        settle_all()
        stopped = Held("INACTIVE", in_use.things, in_use.policies)
        self._check(name, {first: stopped, second: stopped})

        allow("name", name, reason="found", actor=TESTER)
        settle_all()
        self._check(name, {first: in_use, second: in_use})

        self.clock(days=38)  # 7 of overlap, 30 of keeping
        settle_all()
        self._check(name, {second: in_use})

        revoke_certificate(record(second), reason="keyCompromise", actor=TESTER)
        settle_all()
        self._check(name, {second: Held("REVOKED")})
        assert name in self.cloud.group()

    def adopt(self, name, keys):
        """A device whose thing is there already, with attributes and a group of its own."""
        iot = self.cloud.iot
        iot.create_thing(thingName=name, attributePayload={"attributes": {"made": "by-us"}})
        iot.create_thing_group(thingGroupName=f"of-{name}")
        iot.add_thing_to_thing_group(thingGroupName=f"of-{name}", thingName=name)

        first = self._enroll(self.est_client.simpleenroll, name, next(keys))

        self._check(name, {first: active(name)})
        attributes = {"version": "v1", "account": "123456789012"}
        assert iot.describe_thing(thingName=name)["attributes"] == attributes
        groups = iot.list_thing_groups_for_thing(thingName=name)["thingGroups"]
        assert [group["groupName"] for group in groups] == [GROUP]

    def _enroll(self, send, name, key):
        response = send(make_csr(name, key=make_key(index=key)))
        assert response.status_code == 200, response.text
        settle_all()
        return response.certificate

    def _check(self, name, expected):
        rows = {record(one).fingerprint_sha256: held for one, held in expected.items()}
        held = {
            certificate_id: one
            for certificate_id, one in self.cloud.held().items()
            if certificate_id in self._ids_of(name)
        }
        assert held == rows, f"{held} in place of {rows}"
        assert Counter(self.cloud.things())[name] == 1

    def _ids_of(self, name):
        rows = Provisioning.objects.filter(certificate__common_name=name)
        return set(rows.values_list("certificate__fingerprint_sha256", flat=True))


@pytest.fixture
def life(cloud, est_client, in_mode, clock, use_template):
    """A life in mode register, with a template that changes things."""
    in_mode("register", overlap_days=7, iot_removal_days=30, validity_days=3650)
    body = template(AttributePayload="REPLACE", ThingGroups="REPLACE")
    attributes = {"version": "v1", "account": "<ACCOUNT_ID>"}
    body["Resources"]["thing"]["Properties"]["AttributePayload"] = attributes
    use_template(body)
    return Life(cloud, est_client, clock)


@pytest.mark.parametrize("story", CALLS)
def test_every_call_is_listed_here(life, story):
    with aws_calls() as calls:
        {"life": life.live, "adoption": life.adopt}[story]("sensor-1", iter(range(9)))

    assert set(calls) - {call for calls in CALLS.values() for call in calls} == set()
    assert set(CALLS[story]) <= set(calls)


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.value)
@pytest.mark.parametrize("call", [call for calls in CALLS.values() for call in calls])
def test_T20_a_fault_at_any_call_changes_nothing_in_the_end(life, call, fault):
    service, operation = call.split(":")
    for seed in range(SEEDS):
        times = random.Random(f"{call} {fault} {seed}").randint(1, 4)
        worker._breaker.reset()
        iot_client._account.cache_clear()
        story = life.live if call in CALLS["life"] else life.adopt
        keys = iter(range(seed * 10, seed * 10 + 9))
        with failing(service, operation, fault, times=times) as failed:
            story(f"sensor-{seed}", keys)
        assert failed.met
