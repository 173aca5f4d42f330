"""What a command prints: sentences and tables for people, or a JSON object on each line."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pki.operators.visible_text import visible

Row = Mapping[str, Any]


class JSONLines:
    """A stream for a command's sentences, each of which it writes as an object: ``{"said": ...}``.

    A command that gives facts with a sentence, or rows, writes these by ``add``.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._unfinished = ""

    def write(self, text: str) -> None:
        """Write an object for each whole line of ``text``. Blank lines are left out."""
        *lines, self._unfinished = (self._unfinished + text).split("\n")
        for line in lines:
            if line.strip():
                self.add({"said": line})

    def add(self, row: Row) -> None:
        """Write one object. Control and bidi characters of clients' texts stay escaped."""
        self._stream.write(json.dumps(row, ensure_ascii=True, default=str) + "\n")

    def end(self) -> None:
        """Write what has no end of line yet."""
        if self._unfinished:
            self.write("\n")
        self.flush()

    def flush(self) -> None:
        """Hand what was written on."""
        if hasattr(self._stream, "flush"):
            self._stream.flush()

    def isatty(self) -> bool:
        """Return False: what is for programs has neither colors nor a progress bar."""
        return False


def cell(value: Any) -> str:
    """Return a value as the text of a cell, in which every character can be seen."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return visible(", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value))


def table_lines(columns: Sequence[str], rows: Iterable[Row]) -> list[str]:
    """Return a table of ``columns``, with their names above it; no lines without a row."""
    cells = [[cell(row.get(column)) for column in columns] for row in rows]
    if not cells:
        return []
    heads = [column.replace("_", " ").upper() for column in columns]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    return [
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in [heads, *cells]
    ]


def fact_lines(facts: Row) -> list[str]:
    """Return one thing's facts, a line each, without those that are empty."""
    said = {name.replace("_", " "): cell(value) for name, value in facts.items()}
    width = max(map(len, said), default=0)
    return [f"{name:<{width}}  {value}" for name, value in said.items() if value]
