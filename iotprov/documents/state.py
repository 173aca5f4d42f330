"""How the targets stand to a document that is in force, as far as is on record."""

from dataclasses import dataclass
from enum import Enum

from iotprov.conf import iot_settings
from iotprov.documents.versions import name_of
from iotprov.models import DocumentPush


class Agreement(Enum):
    """Whether a target holds what is in force."""

    IN_SYNC = "In sync"
    BEHIND = "Behind"
    FAILED = "Failed"
    NEVER = "Never pushed"
    UNKNOWN_TARGET = "Not configured"


@dataclass(frozen=True, slots=True)
class TargetState:
    """One target; ``push`` is what is on record of it, if anything is."""

    target: str
    agreement: Agreement
    push: DocumentPush | None

    @property
    def holds(self) -> str:
        """What the target holds as far as we pushed it, in words."""
        if self.push is None or not self.push.body_sha256:
            return "nothing of ours"
        return f"v{self.push.version.number}" if self.push.version else "the configured file"


def target_states(kind: str, body: str) -> list[TargetState]:
    """One for each target of the configuration, in its order, then those only rows still name.

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
