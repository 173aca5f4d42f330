"""The report on an existing installation: a line for each part, and what to do about it."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """The state of one part of the installation."""

    FOUND = "found"
    ADOPTED = "adopted"
    MISSING = "missing"
    DIFFERS = "differs"
    FAILED = "failed"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Line:
    """One part: what it is, its name in AWS, its state, and a sentence on what to do."""

    what: str
    name: str
    state: State
    text: str


def table(lines: list[Line]) -> str:
    """Return the lines in columns. The last column is not padded."""
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
