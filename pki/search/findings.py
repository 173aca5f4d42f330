"""What a search found: what was understood, hits with the rows they lead to, and advice."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Model

MOST_HITS = 20
"""Hits of one kind that are returned. One more shows that there are more."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing on record that a term may mean."""

    kind: str
    """What it is, for people: "Device", "Certificate"."""
    title: str
    detail: str = ""
    row: Model | None = None
    """The row whose page shows it; ``None`` for a device, which has no table."""
    is_exact: bool = False
    """Whether the term is all of its name, and not only the beginning."""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values, with the table and key of its row."""
        said: dict[str, Any] = {"kind": self.kind, "title": self.title, "detail": self.detail}
        if self.row is not None:
            said |= {"table": self.row._meta.label_lower, "id": str(self.row.pk)}
        return said


@dataclass(slots=True)
class Findings:
    """The answer to a search."""

    understood: list[str] = field(default_factory=list)
    """What the term was taken for, in words."""
    hits: list[Hit] = field(default_factory=list)
    shortened: list[str] = field(default_factory=list)
    """Kinds of which there are more hits than these."""
    advice: list[str] = field(default_factory=list)
    """Sentences on what to try, or on what was not looked at."""

    def add(self, hits: Iterable[Hit]) -> None:
        """Add hits, except those of a row or device that is there already, up to the bound."""
        for hit in hits:
            of_kind = [each for each in self.hits if each.kind == hit.kind]
            if any(each.row == hit.row and each.title == hit.title for each in of_kind):
                continue
            if len(of_kind) < MOST_HITS:
                self.hits.append(hit)
            elif hit.kind not in self.shortened:
                self.shortened.append(hit.kind)

    def only(self) -> Hit | None:
        """Return the hit that a page may open at once: the only one, if there is one."""
        return self.hits[0] if len(self.hits) == 1 else None

    def groups(self) -> list[tuple[str, Sequence[Hit]]]:
        """Return the hits by kind, in the order in which the kinds were found. Exact ones first."""
        groups: dict[str, list[Hit]] = {}
        for hit in sorted(self.hits, key=lambda hit: not hit.is_exact):
            groups.setdefault(hit.kind, []).append(hit)
        return [(kind, groups[kind]) for kind in dict.fromkeys(hit.kind for hit in self.hits)]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "understood": self.understood,
            "hits": [hit.as_json() for _, hits in self.groups() for hit in hits],
            "more_of": self.shortened,
            "advice": self.advice,
        }
