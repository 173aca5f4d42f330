"""The verdict tree of a dry run: one verdict a step, and what to do about it."""

from dataclasses import dataclass
from enum import Enum


class Outcome(Enum):
    """What came of a step."""

    OK = "OK"
    REFUSED = "refused"
    WARNING = "warning"
    """The certificate would be issued, and something would not work with it."""
    NOT_ASKED = "not asked"
    """A dry run leaves the step out, because it would change something."""
    NOT_REACHED = "not reached"
    """A step before it refused the request."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One step. ``finding`` and ``advice`` are sentences, ``code`` is a reason code or ""."""

    step: str
    outcome: Outcome
    finding: str = ""
    code: str = ""
    advice: str = ""

    def as_json(self) -> dict[str, str]:
        """Return the verdict as JSON values."""
        return {
            "step": self.step,
            "outcome": self.outcome.value,
            "finding": self.finding,
            "code": self.code,
            "advice": self.advice,
        }
