"""Where a target's CAs and our record of them disagree, and in which direction."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from iotprov import ca_registry
from iotprov.ca_registration import wanted_of
from iotprov.ca_registry import RegisteredCA
from iotprov.conf import IoTTarget
from iotprov.models import CARegistration
from pki.exceptions import RemoteFailure
from pki.models import CertificateAuthority
from pki.names import name_text


class Direction(StrEnum):
    """Who has something that the other hasn't."""

    HERE_ONLY = "here only"
    AWS_ONLY = "AWS only"
    DIFFERS = "differs"


@dataclass(frozen=True, slots=True)
class CADifference:
    """One disagreement about a CA."""

    ca: str
    """Its name here; of a CA that isn't ours, its id in AWS."""
    direction: Direction
    text: str
    is_ours: bool = True
    """Whether ``register_ca`` mends it."""


@dataclass(frozen=True, slots=True)
class CADrift:
    """What comparing a target's CAs gave."""

    differences: tuple[CADifference, ...]
    unseen: str = ""
    """Why CAs that only AWS has weren't looked for; "" when they were."""


def ca_differences(target: IoTTarget) -> CADrift:
    """Compare every CA that ``target`` should hold with what it holds; changes nothing.

    These are the active device CAs, and those that were registered once. Raises ``RemoteFailure``
    when one of them can't be looked at.
    """
    rows = {row.ca_id: row for row in CARegistration.objects.filter(target=target.name)}
    device_cas = CertificateAuthority.objects.device()
    active = {ca.pk for ca in device_cas.issuing()}
    found: list[CADifference] = []
    ours = []
    for ca in device_cas:
        row = rows.get(ca.pk)
        known_id = row.certificate_id if row else ""
        if ca.pk not in active and not known_id:
            continue
        ours.append(ca.certificate)
        held = ca_registry.find_by_id(ca.certificate, target, known_id=known_id)
        found += _compare(ca, row, held)
    try:
        for held in ca_registry.list_registered(target):
            if held.certificate not in ours:
                found.append(_stranger(held))
    except RemoteFailure as failure:
        return CADrift(tuple(found), str(failure))
    return CADrift(tuple(found))


def _compare(
    ca: CertificateAuthority, row: CARegistration | None, held: RegisteredCA | None
) -> Iterator[CADifference]:
    if held is None:
        if ca.status != CertificateAuthority.Status.REVOKED:
            yield CADifference(ca.name, Direction.HERE_ONLY, "AWS IoT doesn't know it")
        return
    if row is None or row.certificate_id != held.certificate_id:
        yield CADifference(
            ca.name,
            Direction.AWS_ONLY,
            f"it is registered as {held.certificate_id}, which isn't on record here",
        )
    for difference in ca_registry.differences(held, wanted_of(ca)):
        yield CADifference(ca.name, Direction.DIFFERS, str(difference))


def _stranger(held: RegisteredCA) -> CADifference:
    subject = name_text(held.certificate.subject) if held.certificate else "a CA that can't be read"
    enters = "devices of it can register themselves" if held.is_auto_registration_on else "no JITP"
    return CADifference(
        held.certificate_id,
        Direction.AWS_ONLY,
        f"{subject} is no device CA of this server: {held.status}, {enters}",
        is_ours=False,
    )
