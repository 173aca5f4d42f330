"""What AWS IoT should hold of a certificate, by the record and the clock alone.

Nothing here calls or reads anything, and an answer depends on nothing that happened before, so a
row of the outbox can be worked on any number of times, in any order.
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
    """How AWS IoT and the record agree."""

    NOTHING = "AWS IoT isn't told of it"
    LEFT_TO_JITP = "AWS IoT makes the thing at the first connection"
    PROVISIONED = "ACTIVE, attached to the thing and policy of the template"
    RENEWED = "ACTIVE, attached to the thing and policies of its predecessor"
    SUSPENDED = "INACTIVE, attached as it was"
    DETACHED = "INACTIVE, attached to nothing"
    REVOKED = "REVOKED, attached to nothing"
    REMOVED = "not in AWS IoT"


@dataclass(frozen=True, slots=True)
class Facts:
    """What the record says of a certificate, as far as AWS IoT is concerned."""

    certificate: IssuedCertificate
    """With its profile."""
    is_denied: bool = False
    """An entry in force on the denylist names it."""
    denied_until: datetime.datetime | None = None
    """When the first of those entries ends; ``None``: not by itself."""
    can_be_provisioned_by_aws: bool = False
    """Whether AWS IoT would make an unknown certificate of this CA a device (JITP)."""
    predecessors: tuple[str, ...] = ()
    """IDs of the device's earlier certificates, likeliest first."""
    successor: str = ""
    """ID of the current certificate that took its place, when one should be ACTIVE."""


@dataclass(frozen=True, slots=True)
class DesiredState:
    """A goal, and when to look again."""

    goal: Goal
    until: datetime.datetime | None = None
    """From then on something else is wanted, if nothing else changes; ``None``: for good."""
    is_registered_if_unknown: bool = False
    """AWS IoT must learn of it, lest its first connection bring it to life (JITP)."""
    successor: str = ""
    """ID of the certificate that must be ACTIVE and attached before this one is stopped."""


def needs_provisioning_at_issue(operation: str, mode: str) -> bool:
    """Whether AWS IoT must be told of a certificate when it is issued; costs no statement."""
    return mode == Mode.REGISTER or (mode == Mode.JITP and operation == Operation.REENROLL)


def wanted(facts: Facts, at: datetime.datetime) -> DesiredState:
    """What AWS IoT should hold of ``facts.certificate`` at the time ``at``."""
    certificate, profile = facts.certificate, facts.certificate.profile
    if profile is None or profile.iot_provisioning == Mode.NONE or certificate.der is None:
        return DesiredState(Goal.NOTHING)
    kept = datetime.timedelta(days=profile.iot_removal_days)
    is_expired = certificate.not_after <= at
    if certificate.state == State.REVOKED:
        removal = certificate.not_after + kept
        if removal <= at:
            return DesiredState(Goal.REMOVED)
        return DesiredState(Goal.REVOKED, removal, is_registered_if_unknown=not is_expired)

    end = end_of_use(certificate)
    removal = end + kept
    # AWS IoT would take a certificate that it doesn't know for a new device until it expires.
    can_come_back = facts.can_be_provisioned_by_aws and not is_expired
    if removal <= at:
        if can_come_back:
            return DesiredState(Goal.DETACHED, certificate.not_after, is_registered_if_unknown=True)
        return DesiredState(Goal.REMOVED)
    if end <= at:
        successor = "" if is_expired or facts.is_denied else facts.successor
        return DesiredState(Goal.SUSPENDED, removal, can_come_back, successor)
    if facts.is_denied:
        until = min(end, facts.denied_until or end)
        return DesiredState(Goal.SUSPENDED, until, is_registered_if_unknown=True)
    if certificate.operation == Operation.REENROLL:
        return DesiredState(Goal.RENEWED, end)
    if profile.iot_provisioning == Mode.JITP:
        return DesiredState(Goal.LEFT_TO_JITP, end)
    return DesiredState(Goal.PROVISIONED, end)


def end_of_use(certificate: IssuedCertificate) -> datetime.datetime:
    """When the device has no business with it any more: replaced and overlapped, or expired."""
    if certificate.superseded_at is None or certificate.profile is None:
        return certificate.not_after
    overlap = datetime.timedelta(days=certificate.profile.overlap_days)
    return min(certificate.superseded_at + overlap, certificate.not_after)
