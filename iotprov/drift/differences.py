"""A difference between AWS IoT and the record, as a value."""

import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

MENDED_BY_REPAIR = "Run drift --repair to mend it."


class Kind(StrEnum):
    """The kind of thing that differs."""

    POLICY = "IoT policy"
    TEMPLATE = "provisioning template"
    ROLE = "role"
    CA = "CA"
    CERTIFICATE = "certificate"
    THING = "thing of certificate"


class Direction(StrEnum):
    """Which side has something that the other lacks."""

    HERE_ONLY = "here only"
    AWS_ONLY = "AWS only"
    DIFFERS = "differs"


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference at one target."""

    target: str
    kind: Kind
    name: str
    """The name of the document, role or CA. For a certificate its common name and serial number, or
    its ID."""
    ours: str
    """What AWS should have by the record, or "" for nothing."""
    theirs: str
    """What AWS has, or "" for nothing."""
    direction: Direction
    is_ours: bool
    """Whether a repair mends it. It never touches anything else."""
    advice: str
    certificate_id: uuid.UUID | None = None
    """Primary key of the certificate on record, if there is one."""
    is_alarming: bool = False
    """Whether a device may be able to connect that must not."""
    is_under_way: bool = False
    """Whether the outbox has begun with it recently, so that nothing is wrong yet."""

    @property
    def mended_in_words(self) -> str:
        """What a repair did about it: the outbox follows for certificates and their things."""
        is_of_outbox = self.kind in (Kind.CERTIFICATE, Kind.THING)
        return "Given to the outbox." if is_of_outbox else "Done."

    def __str__(self) -> str:
        alarm = "ALARM: " if self.is_alarming and not self.is_under_way else ""
        return (
            f"{self.target}: {alarm}{self.kind} {self.name}: {self.ours or 'nothing'} here -> "
            f"{self.theirs or 'nothing'} in AWS ({self.direction}). {self.advice}"
        )

    def as_json(self) -> dict[str, Any]:
        """Return the difference as JSON values."""
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
