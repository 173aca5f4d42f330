"""Read a denylist from a CSV file: every line of it, or nothing if a line is wrong.

The file has the header ``kind,value,reason,expires``. The columns ``kind`` and ``value`` are
required. All lines are checked before anything is written, and each complaint names its line.
``pki.jobs.denying`` imports them.
"""

import csv
import datetime
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pki.csr.thing_names import shown
from pki.denylist.adding import Outcome, outcome_of_adding
from pki.denylist.entries import MAX_REASON
from pki.denylist.kinds import normalize, signed_part
from pki.denylist.values import expiry_after
from pki.models import DenylistEntry
from pki.operators.errors import OperatorError

COLUMNS = ("kind", "value", "reason", "expires")
_REQUIRED = ("kind", "value")


@dataclass(frozen=True, slots=True)
class Line:
    """One checked line of the file, with its value normalized."""

    number: int
    kind: str
    value: str
    reason: str
    expires_at: datetime.datetime | None
    signed_sha256: str | None = None
    """Of the PEM certificate that stands for the value."""


class FileRefused(OperatorError):
    """A file of which nothing was imported; ``complaints`` has a sentence for each wrong line."""

    def __init__(self, complaints: Sequence[str]) -> None:
        self.complaints = tuple(complaints)
        super().__init__("\n".join(complaints))


def read_lines(content: bytes, *, default_reason: str = "") -> list[Line]:
    """Return the lines of a CSV file in UTF-8, with or without a byte order mark.

    ``default_reason`` is for lines that give no reason. Raises ``FileRefused`` with a complaint
    about every wrong line, not only about the first one.
    """
    lines: list[Line] = []
    complaints: list[str] = []
    first_lines: dict[tuple[str, str], int] = {}
    for number, row in _rows(content, complaints):
        try:
            line = _line(number, row, default_reason)
        except OperatorError as error:
            complaints.append(f"Line {number}: {error}")
            continue
        earlier = first_lines.setdefault((line.kind, line.value), number)
        if earlier != number:
            complaints.append(
                f"Line {number}: {line.kind} {line.value} is also on line {earlier}. Remove one of "
                "them."
            )
        lines.append(line)
    if not lines and not complaints:
        complaints.append("The file has a header and no lines below it.")
    if complaints:
        raise FileRefused(complaints)
    return lines


def _rows(content: bytes, complaints: list[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each record and the number of the line that it begins on; skip blank lines."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        complaints.append(f"Line {number}: This is not UTF-8 text. Save the file as CSV in UTF-8.")
        return
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] = []
    begins = 1
    try:
        for cells in reader:
            number, begins = begins, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                header = [cell.strip().lower() for cell in cells]
                wrong = _header_problem(header)
                if wrong:
                    complaints.append(f"Line {number}: {wrong}")
                    return
            elif len(cells) > len(header):
                complaints.append(
                    f"Line {number}: There are {len(cells)} columns, but the header has "
                    f"{len(header)}. Put quotes round a text that holds a comma."
                )
            else:
                yield number, dict(zip(header, (cell.strip() for cell in cells), strict=False))
    except csv.Error as error:
        complaints.append(f"Line {begins}: This is not CSV: {error}.")
    if not header and not complaints:
        complaints.append(f"The file is empty. It must begin with the header {','.join(COLUMNS)}.")


def _header_problem(header: list[str]) -> str:
    """Return what is wrong with the first line; "" if nothing is."""
    wanted = f"Use the header {','.join(COLUMNS)}."
    if len(header) == 1 and any(mark in header[0] for mark in ";\t"):
        return f"The columns are not separated by commas. {wanted}"
    unknown = [name for name in header if name not in COLUMNS]
    if unknown:
        return f"{shown(unknown[0])} is not a column. {wanted}"
    missing = [name for name in _REQUIRED if name not in header]
    if missing:
        return f"The column {missing[0]} is missing. {wanted}"
    if len(set(header)) < len(header):
        return f"The header names a column twice. {wanted}"
    return ""


def _line(number: int, row: dict[str, str], default_reason: str) -> Line:
    kind, expires = row["kind"].lower(), row.get("expires", "")
    if "value" not in row:
        raise OperatorError("The value is missing. Give one in the column value.")
    # A reason may begin as a spreadsheet formula does. It is text here, and exports defuse it.
    reason = row.get("reason") or default_reason.strip()
    if not reason:
        raise OperatorError(
            "The reason is missing. Give one here, or one for all lines (--reason)."
        )
    if len(reason) > MAX_REASON or not reason.isprintable():
        raise OperatorError(
            f"The reason is longer than {MAX_REASON} characters, or has more than one line."
        )
    return Line(
        number=number,
        kind=kind,
        value=normalize(kind, row["value"]),
        reason=reason,
        expires_at=expiry_after(expires) if expires else None,
        signed_sha256=signed_part(kind, row["value"]),
    )


def compare(lines: Sequence[Line], *, is_replacing: bool = False) -> list[Outcome]:
    """Return what an import of ``lines`` would do now, line by line."""
    on_record = entries_of(lines)
    return [
        outcome_of_adding(
            on_record.get((line.kind, line.value)),
            line.reason,
            line.expires_at,
            is_replacing=is_replacing,
        )
        for line in lines
    ]


def entries_of(lines: Sequence[Line]) -> dict[tuple[str, str], DenylistEntry]:
    """Return the rows of what the lines name, by kind and value. Some may wait for an import."""
    values = [line.value for line in lines]
    found = {}
    for start in range(0, len(values), 500):  # databases limit the parameters of a statement
        for entry in DenylistEntry.objects.filter(value__in=values[start : start + 500]):
            found[entry.kind, entry.value] = entry
    return found
