"""What AWS IoT holds, what the record says it should, and how a device gets there by JITP."""

import os
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from django.utils import timezone

from iotprov.models import Provisioning
from iotprov.provisioning.worker import drain
from pki.models import IssuedCertificate
from tests.support import aws_faults

POLICY = "est_iot_policy_default"
GROUP = "sensors"
RETRIES = 5

State = IssuedCertificate.State


@dataclass(frozen=True)
class Held:
    """A certificate in AWS IoT."""

    status: str
    things: frozenset = frozenset()
    policies: frozenset = frozenset()


def active(thing):
    """What a device in good standing has."""
    return Held("ACTIVE", frozenset({thing}), frozenset({POLICY}))


@cache
def _own_client(region, endpoint):
    """Return the tests' own client, whose calls neither fail nor count. Making one takes long."""
    iot = boto3.client("iot", region_name=region, endpoint_url=endpoint)
    iot.meta.events.unregister("before-send", aws_faults._inject)
    iot.meta.events.unregister("before-call", aws_faults._note)
    return iot


@dataclass(frozen=True)
class Cloud:
    """The account's registry, seen through boto3."""

    iot: Any

    @classmethod
    def prepared(cls, region="eu-central-1", *, with_policy=True):
        """With policy and thing group."""
        iot = _own_client(region, os.environ["AWS_ENDPOINT_URL"])
        if with_policy:
            iot.create_policy(policyName=POLICY, policyDocument="{}")
        iot.create_thing_group(thingGroupName=GROUP)
        return cls(iot)

    def ids(self):
        """The IDs of all certificates."""
        return {one["certificateId"] for one in self.iot.list_certificates()["certificates"]}

    def held(self):
        """Every certificate, by its ID."""
        return {certificate_id: self.held_of(certificate_id) for certificate_id in self.ids()}

    def held_of(self, certificate_id):
        """One certificate; it must be there."""
        said = self.iot.describe_certificate(certificateId=certificate_id)["certificateDescription"]
        arn = said["certificateArn"]
        policies = self.iot.list_attached_policies(target=arn)["policies"]
        return Held(
            said["status"],
            frozenset(self.iot.list_principal_things(principal=arn)["things"]),
            frozenset(policy["policyName"] for policy in policies),
        )

    def things(self):
        """The names of all things, each as often as it is there."""
        return sorted(thing["thingName"] for thing in self.iot.list_things()["things"])

    def group(self):
        """The names of the things in the template's group."""
        return sorted(self.iot.list_things_in_thing_group(thingGroupName=GROUP)["things"])

    def connect_first(self, certificate, *, policy=POLICY, thing=None, ca=None):
        """What JITP does when a device with an unknown certificate connects."""
        pem = certificate.public_bytes(Encoding.PEM).decode()
        under = {"caCertificatePem": ca.pem} if ca else {}  # moto lists it under no CA otherwise
        arn = self.iot.register_certificate(certificatePem=pem, status="ACTIVE", **under)[
            "certificateArn"
        ]
        name = thing or certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
        if name not in self.things():
            self.iot.create_thing(thingName=name)
            self.iot.add_thing_to_thing_group(thingGroupName=GROUP, thingName=name)
        self.iot.attach_policy(policyName=policy, target=arn)
        self.iot.attach_thing_principal(thingName=name, principal=arn)

    def check_agreement(self, expected):
        """Nothing lost, nothing doubled: exactly ``expected``, by rows of the record."""
        held = self.held()
        wanted = {row.fingerprint_sha256: one for row, one in expected.items()}
        assert held == wanted, f"{held} in place of {wanted}"
        assert self.things() == sorted({name for held in expected.values() for name in held.things})


def record(certificate):
    """The row of a certificate."""
    return IssuedCertificate.objects.get(serial_number=f"{certificate.serial_number:x}")


def make_due():
    """Let nobody wait for the next attempt, or the end of a lease."""
    now = timezone.now()
    Provisioning.objects.pending().update(next_attempt_at=now, leased_until=now)


def settle_all(retries=RETRIES):
    """Drain until nothing is pending; returns how many repetitions it took."""
    for repetition in range(retries + 1):
        make_due()
        drain()
        if not Provisioning.objects.exclude(state="settled").exists():
            return repetition
    waiting = list(Provisioning.objects.exclude(state="settled").values_list("target", "error"))
    raise AssertionError(f"not settled after {retries} repetitions: {waiting}")
