"""What pages took, as tables: the slowest page of each kind by database, and every page."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

SMALL = 100_000
LONGEST = {True: 300, False: 600}
"""Milliseconds that a page may take, by whether the fleet is a small one."""

MOST_SLOW = 20
"""Pages that are named as too slow. The JSON file has all."""


@dataclass(frozen=True)
class Measured:
    """A page, as it was opened."""

    owner: str
    what: str
    url: str
    status: int
    milliseconds: float
    """The median of the rounds, by the clock."""
    cpu: float
    """The least CPU of this process in a round, in milliseconds."""
    database_cpu: float
    """The least CPU of PostgreSQL's process in a round, in milliseconds; 0 on SQLite."""
    statements: int

    @property
    def all_cpu(self) -> float:
        """Return the CPU of this process and of PostgreSQL."""
        return self.cpu + self.database_cpu

    @property
    def is_wrong(self) -> bool:
        """Return whether it is not shown as it should be.

        Some pages of a row may lead to another one (302), be for services alone (403), have no file
        to show (404), or take a POST alone (405). Lists and calls of the API may not.
        """
        if self.status == 200:
            return False
        return self.status not in (302, 403, 404, 405) or kind_of(self) in _SHOWN

    def is_slow(self, certificates: int) -> bool:
        """Return whether it takes longer than it should, by the clock."""
        return self.milliseconds > LONGEST[certificates <= SMALL]

    def is_dear(self, certificates: int) -> bool:
        """Return whether its CPU alone takes longer, however quiet the machine is."""
        return self.all_cpu > LONGEST[certificates <= SMALL]


@dataclass(frozen=True)
class Place:
    """The pages of one database."""

    certificates: int
    database: str
    pages: tuple[Measured, ...]

    @property
    def title(self) -> str:
        """Return what a column says above it."""
        return f"{self.certificates:,} on {self.database}"

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        pages = [{**vars(one), "all_cpu": one.all_cpu} for one in self.pages]
        return {"certificates": self.certificates, "database": self.database, "pages": pages}


def _is_of_api(one: Measured) -> bool:
    return one.owner == "api"


def _begins(*words: str) -> Callable[[Measured], bool]:
    return lambda one: bool(one.owner) and not _is_of_api(one) and one.what.startswith(words)


KINDS: tuple[tuple[str, Callable[[Measured], bool]], ...] = (
    ("a list", lambda one: _begins("page ")(one) or one.what == "list"),
    ("a list, sorted", _begins("sort ")),
    ("a list, filtered", _begins("filter ")),
    ("a list, searched", _begins("search ")),
    ("a page of a row", lambda one: bool(one.owner) and not _is_of_api(one)),
    ("the API", _is_of_api),
    ("any other page", lambda one: True),
)
"""The kinds of pages. A page is of the first kind whose condition it meets."""

_SHOWN = ("a list", "a list, sorted", "a list, filtered", "a list, searched", "the API")


def kind_of(one: Measured) -> str:
    """Return the kind of a page."""
    return next(name for name, condition in KINDS if condition(one))


def summary(place: Place) -> str:
    """Return how many pages there are, and the slowest one, in two sentences."""
    slowest = max(place.pages, key=lambda one: one.milliseconds)
    slow = [one for one in place.pages if one.is_slow(place.certificates)]
    dear = [one for one in place.pages if one.is_dear(place.certificates)]
    longest = LONGEST[place.certificates <= SMALL]
    return (
        f"{place.certificates:,} certificates on {place.database}: {len(place.pages)} pages, "
        f"median {statistics.median(one.milliseconds for one in place.pages):.0f} ms, slowest "
        f"{slowest.milliseconds:.0f} ms ({slowest.owner} {slowest.what}), at most "
        f"{max(one.statements for one in place.pages)} statements. "
        f"{len(slow)} took longer than {longest} ms, {len(dear)} by their CPU alone."
    )


def by_kind(places: Sequence[Place]) -> list[str]:
    """Return the table of the slowest page of each kind, a column a database."""
    lines = [
        f"| Slowest, ms (CPU ms) | {' | '.join(place.title for place in places)} |",
        f"|---|{'---|' * len(places)}",
    ]
    for kind, _ in KINDS:
        cells = [_slowest(place, kind) for place in places]
        if any(cells):
            lines.append(f"| {kind} | {' | '.join(cells)} |")
    return lines


def _slowest(place: Place, kind: str) -> str:
    pages = [one for one in place.pages if kind_of(one) == kind]
    if not pages:
        return ""
    one = max(pages, key=lambda page: page.milliseconds)
    name = one.what if kind == "any other page" or _is_of_api(one) else f"{one.owner} {one.what}"
    return f"{one.milliseconds:.0f} ({one.all_cpu:.0f}) of {len(pages)}: {_in_cell(name)}"


def slow_pages(places: Sequence[Place]) -> list[str]:
    """Return the table of the pages that took longer than they should; nothing without any."""
    rows = [
        (one, place) for place in places for one in place.pages if one.is_slow(place.certificates)
    ]
    if not rows:
        return []
    rows.sort(key=lambda row: -row[0].milliseconds)
    lines = ["| Too slow | on | ms | CPU ms | statements |", "|---|---|---|---|---|"]
    lines += [
        f"| {_in_cell(f'{one.owner} {one.what}')} | {place.title} | {one.milliseconds:.0f} | "
        f"{one.all_cpu:.0f} | {one.statements} |"
        for one, place in rows[:MOST_SLOW]
    ]
    if len(rows) > MOST_SLOW:
        lines.append(f"| and {len(rows) - MOST_SLOW} more | | | | |")
    return lines


def all_pages(place: Place) -> list[str]:
    """Return the table of every page, in which slow ones are marked."""
    lines = ["| page | ms | CPU ms | of PostgreSQL | statements | |", "|---|---|---|---|---|---|"]
    for one in place.pages:
        marks = ["SLOW"] if one.is_slow(place.certificates) else []
        marks += [f"status {one.status}"] if one.is_wrong else []
        lines.append(
            f"| {_in_cell(f'{one.owner} {one.what}')} | {one.milliseconds:.0f} | "
            f"{one.all_cpu:.0f} | {one.database_cpu:.0f} | {one.statements} | {' '.join(marks)} |"
        )
    return lines


def _in_cell(text: str) -> str:
    return text.strip().replace("|", "\\|")
