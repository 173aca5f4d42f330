"""The events that a webhook can be told of."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final


class EventType(StrEnum):
    """What happened, as receivers read it in ``type``."""

    ISSUED = "certificate.issued"
    RENEWED = "certificate.renewed"
    REFUSED = "certificate.refused"
    REVOKED = "certificate.revoked"
    EXPIRING = "certificate.expiring"
    CA_CREATED = "ca.created"
    CA_RETIRED = "ca.retired"
    CA_DISTRUSTED = "ca.distrusted"
    CA_EXPIRING = "ca.expiring"
    TEST = "webhook.test"


MEANINGS: Final[Mapping[EventType, str]] = {
    EventType.ISSUED: "A client or device got its first certificate.",
    EventType.RENEWED: "A device renewed its certificate.",
    EventType.REFUSED: "Enrollments were refused: an event a minute for each reason, with a count.",
    EventType.REVOKED: "A certificate was revoked.",
    EventType.EXPIRING: "A current certificate expires in 30, 7 or 1 days.",
    EventType.CA_CREATED: "A CA was made or imported, or succeeds another.",
    EventType.CA_RETIRED: "A CA that has a successor is not trusted any more.",
    EventType.CA_DISTRUSTED: "A CA was distrusted.",
    EventType.CA_EXPIRING: "An active CA expires in 90, 30, 7 or 1 days.",
}
"""Each event that a webhook may ask for, in words. The test event is for every webhook."""

EXPIRY_DAYS: Final = (30, 7, 1)
CA_EXPIRY_DAYS: Final = (90, *EXPIRY_DAYS)


@dataclass(frozen=True, slots=True)
class Event:
    """One event."""

    key: str
    """What it is, the same each time it is read from the record."""
    type: EventType
    at: datetime
    data: Mapping[str, Any]
