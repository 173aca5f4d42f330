"""Whether each target has the document in force, by the pushes on record. AWS is not asked."""

from dataclasses import dataclass
from enum import Enum

from iotprov.conf import iot_settings
from iotprov.documents.versions import name_of
from iotprov.models import DocumentPush


class Agreement(Enum):
    """Whether a target has the document in force."""

    IN_SYNC = "In sync"
    BEHIND = "Behind"
    FAILED = "Failed"
    NEVER = "Never pushed"
    UNKNOWN_TARGET = "Not configured"


@dataclass(frozen=True, slots=True)
class TargetState:
    """The state of one target. ``push`` is its row on record, or ``None``."""

    target: str
    agreement: Agreement
    push: DocumentPush | None

    @property
    def holds(self) -> str:
        """Return in words what was pushed to the target last."""
        if self.push is None or not self.push.body_sha256:
            return "nothing from here"
        return f"v{self.push.version.number}" if self.push.version else "the configured file"


def target_states(kind: str, body: str) -> list[TargetState]:
    """Return one for each target: those of the configuration, then those that only rows name.

    ``body`` is the text in force.
    """
    pushes = DocumentPush.objects.filter(kind=kind, name=name_of(kind)).select_related("version")
    found = {push.target: push for push in pushes}
    configured = [target.name for target in iot_settings().targets]
    states = [
        TargetState(name, _agreement(found.get(name), body), found.get(name)) for name in configured
    ]
    return states + [
        TargetState(name, Agreement.UNKNOWN_TARGET, found[name])
        for name in sorted(found.keys() - set(configured))
    ]


def _agreement(push: DocumentPush | None, body: str) -> Agreement:
    if push is None:
        return Agreement.NEVER
    if push.error:
        return Agreement.FAILED
    return Agreement.BEHIND if push.is_pending(body) else Agreement.IN_SYNC
