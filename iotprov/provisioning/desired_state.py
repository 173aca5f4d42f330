"""The state that AWS IoT should hold of a certificate, from the record and the clock alone.

This module calls nothing and reads nothing, and an answer does not depend on what happened before.
So a row of the outbox can be worked on any number of times, in any order.
"""

import datetime
from dataclasses import dataclass
from enum import Enum

from pki.choices import IoTProvisioning
from pki.models import IssuedCertificate

Mode = IoTProvisioning
State = IssuedCertificate.State
Operation = IssuedCertificate.Operation


class Goal(Enum):
    """The states in which AWS IoT agrees with the record."""

    NOTHING = "AWS IoT is not told of it"
    LEFT_TO_JITP = "AWS IoT makes the thing at the first connection"
    PROVISIONED = "ACTIVE, attached to the thing and policy of the template"
    RENEWED = "ACTIVE, attached to the thing and policies of its predecessor"
    SUSPENDED = "INACTIVE, attached as it was"
    DETACHED = "INACTIVE, attached to nothing"
    REVOKED = "REVOKED, attached to nothing"
    REMOVED = "not in AWS IoT"


@dataclass(frozen=True, slots=True)
class Facts:
    """What the record says of a certificate, as far as it matters to AWS IoT."""

    certificate: IssuedCertificate
    """The row, with its profile loaded."""
    is_denied: bool = False
    """Whether an entry in force on the denylist matches it."""
    denied_until: datetime.datetime | None = None
    """When the first of those entries expires; ``None`` if none expires by itself."""
    is_ca_stopped: bool = False
    """Whether its CA is distrusted, and its certificates are to be INACTIVE."""
    can_be_provisioned_by_aws: bool = False
    """Whether AWS IoT would provision an unknown certificate of this CA by itself (JITP)."""
    predecessors: tuple[str, ...] = ()
    """AWS IoT's IDs of the device's earlier certificates, the renewed one first."""
    successor: str = ""
    """AWS IoT's ID of the current certificate that replaced it, if that one should be ACTIVE."""


@dataclass(frozen=True, slots=True)
class DesiredState:
    """A goal, and when it next changes by itself."""

    goal: Goal
    until: datetime.datetime | None = None
    """When the goal next changes unless another event changes it first; ``None`` if it is final."""
    is_registered_if_unknown: bool = False
    """Whether AWS IoT must be told of it, because its first connection would activate it (JITP)."""
    successor: str = ""
    """ID of the certificate that must be ACTIVE and attached before this one is deactivated."""


def needs_provisioning_at_issue(operation: str, mode: str) -> bool:
    """Return whether AWS IoT must be told of a certificate when it is issued. Runs no statement."""
    return mode == Mode.REGISTER or (mode == Mode.JITP and operation == Operation.REENROLL)


def desired_state(facts: Facts, at: datetime.datetime) -> DesiredState:
    """Return what AWS IoT should hold of ``facts.certificate`` at the time ``at``."""
    # Step 1: certificates that AWS IoT has nothing to do with.
    certificate, profile = facts.certificate, facts.certificate.profile
    if profile is None or profile.iot_provisioning == Mode.NONE or certificate.der is None:
        return DesiredState(Goal.NOTHING)
    retention = datetime.timedelta(days=profile.iot_removal_days)
    is_expired = certificate.not_after <= at

    # Step 2: a revoked certificate stays REVOKED until it is removed.
    if certificate.state == State.REVOKED:
        removal = certificate.not_after + retention
        if removal <= at:
            return DesiredState(Goal.REMOVED)
        return DesiredState(Goal.REVOKED, removal, is_registered_if_unknown=not is_expired)

    # Step 3: a certificate whose use is over is deactivated, later removed.
    end = end_of_use(certificate)
    removal = end + retention
    # Until it expires, AWS IoT would take a certificate that it does not know for a new device.
    can_come_back = facts.can_be_provisioned_by_aws and not is_expired
    if removal <= at:
        if can_come_back:
            return DesiredState(Goal.DETACHED, certificate.not_after, is_registered_if_unknown=True)
        return DesiredState(Goal.REMOVED)
    if end <= at:
        successor = "" if is_expired or facts.is_denied or facts.is_ca_stopped else facts.successor
        return DesiredState(Goal.SUSPENDED, removal, can_come_back, successor)

    # Step 4: a certificate in use, unless its CA is distrusted or the denylist matches it. A CA
    # that is INACTIVE provisions no certificate, so none has to be registered as stopped.
    if facts.is_ca_stopped:
        return DesiredState(Goal.SUSPENDED, end)
    if facts.is_denied:
        until = min(end, facts.denied_until or end)
        return DesiredState(Goal.SUSPENDED, until, is_registered_if_unknown=True)
    if certificate.operation == Operation.REENROLL:
        return DesiredState(Goal.RENEWED, end)
    if profile.iot_provisioning == Mode.JITP:
        return DesiredState(Goal.LEFT_TO_JITP, end)
    return DesiredState(Goal.PROVISIONED, end)


def end_of_use(certificate: IssuedCertificate) -> datetime.datetime:
    """Return when the device stops using it: at the end of its overlap, or when it expires."""
    if certificate.superseded_at is None or certificate.profile is None:
        return certificate.not_after
    overlap = datetime.timedelta(days=certificate.profile.overlap_days)
    return min(certificate.superseded_at + overlap, certificate.not_after)
