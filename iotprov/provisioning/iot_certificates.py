"""AWS IoT's registry at one target, call by call: certificates and what they are attached to.

Every call here may be made twice: what is there already, or gone already, is success. What AWS
says of each call: https://docs.aws.amazon.com/iot/latest/apireference/.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from cryptography import x509

from iotprov.client import calling, is_code
from iotprov.conf import IoTTarget
from iotprov.template.planned_thing import certificate_id
from pki.aws.clients import READ_TIMEOUT
from pki.encoding.certificates import pem_of
from pki.operators.errors import RemoteFailure

ACTIVE = "ACTIVE"
INACTIVE = "INACTIVE"
REVOKED = "REVOKED"
PENDING_ACTIVATION = "PENDING_ACTIVATION"
"""JITP is at work on it: the device has just made its first connection."""

NOT_FOUND = "ResourceNotFoundException"
EXISTS = "ResourceAlreadyExistsException"


@dataclass(frozen=True, slots=True)
class RemoteCertificate:
    """A certificate as AWS IoT has it."""

    certificate_id: str
    arn: str
    status: str
    pem: str


@dataclass(frozen=True, slots=True)
class RemoteThing:
    """A thing that a certificate is attached to, and how: exclusively or not ("" unsaid)."""

    name: str
    principal_type: str = ""


def _go_on(operation: str) -> None:
    """Nothing speaks against the next call."""


@dataclass(frozen=True, slots=True)
class Registry:
    """One target's registry. Every method raises ``RemoteFailure``."""

    target: IoTTarget
    read_timeout: int = READ_TIMEOUT
    """Read timeout of each call, seconds."""
    before_call: Callable[[str], None] = _go_on
    """Called with the operation's name before each call: waits for its turn, or raises."""

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One call; ``method`` is boto3's name of it."""
        operation = _operation(method)
        self.before_call(operation)
        with calling(self.target, "iot", operation, read_timeout=self.read_timeout) as iot:
            answer: dict[str, Any] = getattr(iot, method)(**parameters)
        return answer

    def list_all(self, method: str, items: str, **parameters: Any) -> list[Any]:
        """The items of every page."""
        operation = _operation(method)
        found: list[Any] = []
        self.before_call(operation)
        with calling(self.target, "iot", operation, read_timeout=self.read_timeout) as iot:
            for page in iot.get_paginator(method).paginate(**parameters):
                found.extend(page.get(items, []))
                if page.get("nextToken") or page.get("nextMarker"):
                    self.before_call(operation)
        return found

    # Certificates

    def find(self, certificate_id: str) -> RemoteCertificate | None:
        """The certificate of that ID; ``None`` when AWS IoT doesn't know it."""
        try:
            answer = self.call("describe_certificate", certificateId=certificate_id)
        except RemoteFailure as error:
            if is_code(error, NOT_FOUND):
                return None
            raise
        said = answer["certificateDescription"]
        return RemoteCertificate(
            said["certificateId"], said["certificateArn"], said["status"], said["certificatePem"]
        )

    def register(
        self, certificate: x509.Certificate, ca: x509.Certificate, *, status: str
    ) -> RemoteCertificate:
        """Make the certificate known; returns what AWS IoT has, which may have been there before.

        The CA goes along: AWS IoT may have several of one subject.
        """
        try:
            answer = self.call(
                "register_certificate",
                certificatePem=pem_of(certificate),
                caCertificatePem=pem_of(ca),
                status=status,
            )
        except RemoteFailure as error:
            if is_code(error, EXISTS):
                return self._compared(certificate, error)
            if is_code(error, "CertificateValidationException", NOT_FOUND):
                raise _unregistered_ca(error, self.target) from error
            raise
        return RemoteCertificate(answer["certificateId"], answer["certificateArn"], status, "")

    def _compared(self, certificate: x509.Certificate, error: RemoteFailure) -> RemoteCertificate:
        """What AWS IoT says is there already, if it is the same certificate."""
        held = self.find(error.details.get("resourceId") or certificate_id(certificate))
        if held is None:  # their one side doesn't know yet what the other does
            raise RemoteFailure(
                error.call, error.code, "it exists, and cannot be found", "Wait.", is_transient=True
            )
        if x509.load_pem_x509_certificate(held.pem.encode()) != certificate:
            raise RemoteFailure(
                error.call,
                "DifferentCertificate",
                f"{held.certificate_id} is the ID of another certificate there",
                "Look at both in the account's console.",
            )
        return held

    def set_status(self, held: RemoteCertificate, status: str) -> RemoteCertificate:
        """Give the certificate ``status``, unless it has it.

        One that is REVOKED stays so, whoever revoked it: AWS IoT would let it come back.
        """
        if held.status in (status, REVOKED):
            return held
        self.call("update_certificate", certificateId=held.certificate_id, newStatus=status)
        return replace(held, status=status)

    def delete(self, held: RemoteCertificate) -> None:
        """Remove a certificate that isn't ACTIVE and is attached to nothing."""
        with _gone_is_fine():
            self.call("delete_certificate", certificateId=held.certificate_id)

    # What it is attached to

    def policies_of(self, held: RemoteCertificate) -> tuple[str, ...]:
        """The names of the policies attached to the certificate."""
        policies = self.list_all("list_attached_policies", "policies", target=held.arn)
        return tuple(policy["policyName"] for policy in policies)

    def things_of(self, held: RemoteCertificate) -> tuple[RemoteThing, ...]:
        """The things that the certificate is attached to."""
        things = self.list_all(
            "list_principal_things_v2", "principalThingObjects", principal=held.arn
        )
        return tuple(
            RemoteThing(thing["thingName"], thing.get("thingPrincipalType", "")) for thing in things
        )

    def attach_policy(self, name: str, held: RemoteCertificate) -> None:
        """Attach a policy. Attaching again changes nothing."""
        try:
            self.call("attach_policy", policyName=name, target=held.arn)
        except RemoteFailure as error:
            if is_code(error, NOT_FOUND):
                raise missing(error, f"the policy {name}", "Run sync_policy.") from error
            raise

    def attach_thing(self, thing: RemoteThing, held: RemoteCertificate) -> None:
        """Attach the certificate to a thing. Attaching again changes nothing."""
        kind = {"thingPrincipalType": thing.principal_type} if thing.principal_type else {}
        self.call("attach_thing_principal", thingName=thing.name, principal=held.arn, **kind)

    def detach(self, held: RemoteCertificate) -> None:
        """Detach the certificate from all its policies and things.

        Policies first: then the device can do nothing, whatever comes between.
        """
        for policy in self.policies_of(held):
            with _gone_is_fine():
                self.call("detach_policy", policyName=policy, target=held.arn)
        for thing in self.things_of(held):
            with _gone_is_fine():
                self.call("detach_thing_principal", thingName=thing.name, principal=held.arn)


@contextmanager
def _gone_is_fine() -> Iterator[None]:
    """For removals: what isn't there any more needs none."""
    try:
        yield
    except RemoteFailure as error:
        if not is_code(error, NOT_FOUND):
            raise


def _operation(method: str) -> str:
    """``DescribeThing`` for ``describe_thing``."""
    return method.title().replace("_", "")


def _unregistered_ca(error: RemoteFailure, target: IoTTarget) -> RemoteFailure:
    return RemoteFailure(
        error.call,
        error.code,
        f"AWS IoT does not take a certificate of this CA at the target {target.name}",
        f"Run register_ca, if that CA is not registered and ACTIVE there. (AWS: {error})",
    )


def missing(error: RemoteFailure, what: str, advice: str) -> RemoteFailure:
    """The sentence for what a call named and AWS IoT doesn't have."""
    return RemoteFailure(error.call, error.code, f"{what} does not exist there", advice)
