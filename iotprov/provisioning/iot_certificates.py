"""Certificates in AWS IoT at one target, call by call, and what they are attached to.

Every call here may be made twice: a resource that exists already, or is gone already, counts as
success. Source of each call: https://docs.aws.amazon.com/iot/latest/apireference/.
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
from pki.encoding.reading import read_certificate_pem
from pki.operators.errors import RemoteFailure

ACTIVE = "ACTIVE"
INACTIVE = "INACTIVE"
REVOKED = "REVOKED"
PENDING_ACTIVATION = "PENDING_ACTIVATION"
"""JITP is at work on the certificate, after the device's first connection."""

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
    """A thing that a certificate is attached to, and its principal type ("" if AWS names none)."""

    name: str
    principal_type: str = ""


def _no_wait(operation: str) -> None:
    """Let the next call be made at once."""


@dataclass(frozen=True, slots=True)
class Registry:
    """The registry of one target. Every method raises ``RemoteFailure``."""

    target: IoTTarget
    read_timeout: int = READ_TIMEOUT
    """Read timeout of each call, in seconds."""
    before_call: Callable[[str], None] = _no_wait
    """Called with the operation's name before each call; it waits for its turn, or raises."""

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Make one call; ``method`` is boto3's name of it."""
        operation = _operation(method)
        self.before_call(operation)
        with calling(self.target, "iot", operation, read_timeout=self.read_timeout) as iot:
            answer: dict[str, Any] = getattr(iot, method)(**parameters)
        return answer

    def list_all(self, method: str, items: str, **parameters: Any) -> list[Any]:
        """Return the items of every page."""
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
        """Return the certificate of that ID, or ``None`` when AWS IoT does not know it."""
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
        """Register the certificate; returns what AWS IoT has, which may have been there before.

        The CA certificate is sent with it, because AWS IoT may have several of one subject.
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
        """Return the certificate that AWS IoT has already, if it is the same one."""
        remote = self.find(error.details.get("resourceId") or certificate_id(certificate))
        if remote is None:  # AWS IoT is eventually consistent
            raise RemoteFailure(
                error.call,
                error.code,
                "The certificate exists and cannot be found.",
                "Wait.",
                is_transient=True,
            )
        if read_certificate_pem(remote.pem.encode()) != certificate:
            raise RemoteFailure(
                error.call,
                "DifferentCertificate",
                f"{remote.certificate_id} is the ID of another certificate there.",
                "Compare both in the account's console.",
            )
        return remote

    def set_status(self, remote: RemoteCertificate, status: str) -> RemoteCertificate:
        """Set the certificate's status, unless it has that status already.

        A REVOKED certificate stays REVOKED, whoever revoked it. AWS IoT would allow a change.
        """
        if remote.status in (status, REVOKED):
            return remote
        self.call("update_certificate", certificateId=remote.certificate_id, newStatus=status)
        return replace(remote, status=status)

    def delete(self, remote: RemoteCertificate) -> None:
        """Delete a certificate that is not ACTIVE and is attached to nothing."""
        with _gone_is_fine():
            self.call("delete_certificate", certificateId=remote.certificate_id)

    # What it is attached to

    def policies_of(self, remote: RemoteCertificate) -> tuple[str, ...]:
        """Return the names of the policies attached to the certificate."""
        policies = self.list_all("list_attached_policies", "policies", target=remote.arn)
        return tuple(policy["policyName"] for policy in policies)

    def things_of(self, remote: RemoteCertificate) -> tuple[RemoteThing, ...]:
        """Return the things that the certificate is attached to."""
        things = self.list_all(
            "list_principal_things_v2", "principalThingObjects", principal=remote.arn
        )
        return tuple(
            RemoteThing(thing["thingName"], thing.get("thingPrincipalType", "")) for thing in things
        )

    def attach_policy(self, name: str, remote: RemoteCertificate) -> None:
        """Attach a policy. Attaching again changes nothing."""
        try:
            self.call("attach_policy", policyName=name, target=remote.arn)
        except RemoteFailure as error:
            if is_code(error, NOT_FOUND):
                raise missing(error, f"The policy {name}", "Run sync_policy.") from error
            raise

    def attach_thing(self, thing: RemoteThing, remote: RemoteCertificate) -> None:
        """Attach the certificate to a thing. Attaching again changes nothing."""
        kind = {"thingPrincipalType": thing.principal_type} if thing.principal_type else {}
        self.call("attach_thing_principal", thingName=thing.name, principal=remote.arn, **kind)

    def detach(self, remote: RemoteCertificate) -> None:
        """Detach the certificate from all its policies and things.

        Policies go first. From then on the device can do nothing, even if a later call fails.
        """
        for policy in self.policies_of(remote):
            with _gone_is_fine():
                self.call("detach_policy", policyName=policy, target=remote.arn)
        for thing in self.things_of(remote):
            with _gone_is_fine():
                self.call("detach_thing_principal", thingName=thing.name, principal=remote.arn)


@contextmanager
def _gone_is_fine() -> Iterator[None]:
    """Ignore that a resource to be removed is gone already."""
    try:
        yield
    except RemoteFailure as error:
        if not is_code(error, NOT_FOUND):
            raise


def _operation(method: str) -> str:
    """Return ``DescribeThing`` for ``describe_thing``."""
    return method.title().replace("_", "")


def _unregistered_ca(error: RemoteFailure, target: IoTTarget) -> RemoteFailure:
    return RemoteFailure(
        error.call,
        error.code,
        f"AWS IoT does not take a certificate of this CA at the target {target.name}.",
        f"Run register_ca if that CA is not registered and ACTIVE there. AWS's answer: {error}",
    )


def missing(error: RemoteFailure, what: str, advice: str) -> RemoteFailure:
    """Return the failure of a call that named a resource which AWS IoT does not have."""
    return RemoteFailure(error.call, error.code, f"{what} does not exist there.", advice)
