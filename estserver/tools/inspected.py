"""What an inspection says of a pasted text."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Model

from estserver.operations.report_rows import Level


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence on one rule or on the record, and what to do about it."""

    level: Level
    finding: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Facts under a title, each with its name. Values are text as the client has written it."""

    title: str
    facts: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Inspected:
    """One thing that was pasted, with what is inside of it."""

    what: str
    """With the article: "a certificate"."""
    groups: list[Group] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    rows: list[Model] = field(default_factory=list)
    """The rows that it leads to: certificates, CAs, entries of the denylist, audit events."""
    parts: list["Inspected"] = field(default_factory=list)
    """The certificates of a PKCS #7, or of a text with several blocks."""

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "what": self.what,
            "facts": {group.title: dict(group.facts) for group in self.groups},
            "findings": [
                {"level": one.level, "finding": one.finding, "advice": one.advice}
                for one in self.findings
            ],
            "on_record": [
                {"table": row._meta.label_lower, "id": str(row.pk), "name": str(row)}
                for row in self.rows
            ],
            "parts": [part.as_json() for part in self.parts],
        }

    def all_findings(self) -> Iterator[Finding]:
        """Yield the findings of this and of all parts."""
        yield from self.findings
        for part in self.parts:
            yield from part.all_findings()
