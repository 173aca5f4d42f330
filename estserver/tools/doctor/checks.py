"""What a check of the doctor is, and what it says."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from estserver.operations.report_rows import Level, Row


@dataclass(frozen=True, slots=True)
class Check:
    """One check. ``look`` yields rows, of which the name says what was looked at.

    A row that fails has advice. Whatever ``look`` raises of ``OperatorError``, ``PKIError`` and the
    database's errors becomes a row too.
    """

    name: str
    docs: str
    """The page and heading that explain it: ``docs/operating.md#roll-a-ca``."""
    look: Callable[[], Iterable[Row]]
    needs_database: bool = True
    asks_others: bool = False
    """Whether it asks a signer or AWS, which may take seconds and be charged for."""
    is_in_summary: bool = False
    """Whether it costs two statements at most, so that the overview may ask it each time."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One line of the doctor's report."""

    check: str
    name: str
    level: Level
    finding: str
    advice: str
    docs: str
    is_remote: bool = False
    """Whether it says only that another service could not be asked."""

    @classmethod
    def of(cls, check: Check, row: Row, *, is_remote: bool = False) -> "Diagnosis":
        """Return the line for a row of a check."""
        return cls(check.name, row.name, row.level, row.finding, row.advice, check.docs, is_remote)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)
