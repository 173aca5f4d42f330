"""Lines of reports on an installation: what was looked at, how it is, and what to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Level = Literal["OK", "WARN", "FAIL"]
EXPIRY_DAYS = 30
"""A certificate that expires within these days gets a warning."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. ``finding`` is a phrase or sentences, ``advice`` is a sentence."""

    name: str
    level: Level
    finding: str
    advice: str = ""


def exit_code(rows: Sequence[Row]) -> int:
    """Return 1 when a row fails, and 0 otherwise, also with warnings."""
    return int(any(row.level == "FAIL" for row in rows))
