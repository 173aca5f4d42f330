"""A disagreement between AWS IoT and the record, as a value."""

import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

MENDED_BY_REPAIR = "drift --repair mends it"


class Kind(StrEnum):
    """What it is about."""

    POLICY = "IoT policy"
    TEMPLATE = "provisioning template"
    ROLE = "role"
    CA = "CA"
    CERTIFICATE = "certificate"
    THING = "thing of certificate"


class Direction(StrEnum):
    """Who has something that the other hasn't."""

    HERE_ONLY = "here only"
    AWS_ONLY = "AWS only"
    DIFFERS = "differs"


@dataclass(frozen=True, slots=True)
class Difference:
    """One disagreement at one target."""

    target: str
    kind: Kind
    name: str
    """Of the document, role or CA; of a certificate, common name and serial number, or its ID."""
    ours: str
    """What the record says that AWS should hold; "" for nothing."""
    theirs: str
    """What AWS holds; "" for nothing."""
    direction: Direction
    is_ours: bool
    """Whether a repair mends it; what isn't ours is never touched."""
    advice: str
    certificate_id: uuid.UUID | None = None
    """Primary key of the certificate on record, when it is about one."""
    is_alarming: bool = False
    """A device may be getting in that mustn't."""
    is_under_way: bool = False
    """The outbox has been at it for a moment only: nothing is wrong, so far."""

    def __str__(self) -> str:
        alarm = "ALARM: " if self.is_alarming and not self.is_under_way else ""
        return (
            f"{self.target}: {alarm}{self.kind} {self.name}: {self.ours or 'nothing'} here -> "
            f"{self.theirs or 'nothing'} in AWS ({self.direction}); {self.advice}"
        )

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "target": self.target,
            "kind": self.kind.name.lower(),
            "name": self.name,
            "ours": self.ours,
            "theirs": self.theirs,
            "direction": self.direction.name.lower(),
            "is_ours": self.is_ours,
            "is_alarming": self.is_alarming,
            "is_under_way": self.is_under_way,
            "advice": self.advice,
        }
