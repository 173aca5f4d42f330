"""What an existing installation has, line by line, and what is to be done about it."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How one part of the installation stands."""

    FOUND = "found"
    ADOPTED = "adopted"
    MISSING = "missing"
    DIFFERS = "differs"
    FAILED = "failed"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Line:
    """One part: what it is, its name in AWS, how it stands, and what to do."""

    what: str
    name: str
    state: State
    text: str


def table(lines: list[Line]) -> str:
    """The lines in columns; the last one is as long as it is."""
    widths = [
        max(map(len, column))
        for column in zip(*((line.what, line.name, line.state) for line in lines), strict=True)
    ]
    return "\n".join(
        "  ".join(
            [
                *(
                    cell.ljust(width)
                    for cell, width in zip((line.what, line.name, line.state), widths, strict=True)
                ),
                line.text,
            ]
        )
        for line in lines
    )
