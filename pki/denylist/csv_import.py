"""Denying a whole list at once, from a CSV file: all of it or nothing.

The file has a header, ``kind,value,reason,expires``, of which ``kind`` and ``value`` must be there.
Every line is looked at before anything is written, and every complaint names its line.
"""

import csv
import datetime
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pki.csr.thing_names import shown
from pki.denylist.entries import void_intents_of, write
from pki.denylist.values import expiry_after, normalize
from pki.models import DenylistEntry
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction

COLUMNS = ("kind", "value", "reason", "expires")
_COMPULSORY = ("kind", "value")

MAX_REASON = 500


class Outcome(StrEnum):
    """What an import does, or would do, with a line."""

    NEW = "new"
    SAME = "same"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the file, looked at and normalized."""

    number: int
    kind: str
    value: str
    reason: str
    expires_at: datetime.datetime | None


class FileRefused(OperatorError):
    """Nothing was imported; ``complaints`` has a sentence for each line that is wrong."""

    def __init__(self, complaints: Sequence[str]) -> None:
        self.complaints = tuple(complaints)
        super().__init__("\n".join(complaints))


def read_lines(content: bytes, *, default_reason: str = "") -> list[Line]:
    """The lines of a CSV file in UTF-8, with or without a byte order mark.

    ``default_reason`` is for lines that give none. Raises ``FileRefused`` with everything that is
    wrong, not only the first.
    """
    lines: list[Line] = []
    complaints: list[str] = []
    first_seen: dict[tuple[str, str], int] = {}
    for number, row in _rows(content, complaints):
        try:
            line = _line(number, row, default_reason)
        except OperatorError as error:
            complaints.append(f"line {number}: {error}")
            continue
        earlier = first_seen.setdefault((line.kind, line.value), number)
        if earlier != number:
            complaints.append(f"line {number}: {line.kind} {line.value} is on line {earlier} too")
        lines.append(line)
    if not lines and not complaints:
        complaints.append("the file has a header and nothing below it")
    if complaints:
        raise FileRefused(complaints)
    return lines


def _rows(content: bytes, complaints: list[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Each record with the number of the line that it begins on; blank lines are passed over."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        complaints.append(f"line {number}: not UTF-8 text: save the file as CSV in UTF-8")
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
                    complaints.append(f"line {number}: {wrong}")
                    return
            elif len(cells) > len(header):
                complaints.append(
                    f"line {number}: {len(cells)} columns, wanted {len(header)}: put quotes round "
                    "a text that holds a comma"
                )
            else:
                yield number, dict(zip(header, (cell.strip() for cell in cells), strict=False))
    except csv.Error as error:
        complaints.append(f"line {begins}: not CSV: {error}")
    if not header and not complaints:
        complaints.append(f"the file is empty: wanted a header, {','.join(COLUMNS)}")


def _header_problem(header: list[str]) -> str:
    """What is wrong with the first line; "" for nothing."""
    wanted = f"wanted the header {','.join(COLUMNS)}"
    if len(header) == 1 and any(mark in header[0] for mark in ";\t"):
        return f"the columns aren't separated by commas; {wanted}"
    unknown = [name for name in header if name not in COLUMNS]
    if unknown:
        return f"{shown(unknown[0])} isn't a column; {wanted}"
    missing = [name for name in _COMPULSORY if name not in header]
    if missing:
        return f"the column {missing[0]} is missing; {wanted}"
    if len(set(header)) < len(header):
        return f"a column is there twice; {wanted}"
    return ""


def _line(number: int, row: dict[str, str], default_reason: str) -> Line:
    kind, expires = row["kind"].lower(), row.get("expires", "")
    if "value" not in row:
        raise OperatorError("the value is missing")
    # A reason that begins as a formula does is text like any other here; exports defuse it.
    reason = row.get("reason") or default_reason.strip()
    if not reason:
        raise OperatorError("the reason is missing: give one here, or one for all (--reason)")
    if len(reason) > MAX_REASON or not reason.isprintable():
        raise OperatorError(f"the reason is longer than {MAX_REASON} characters, or not one line")
    return Line(
        number=number,
        kind=kind,
        value=normalize(kind, row["value"]),
        reason=reason,
        expires_at=expiry_after(expires) if expires else None,
    )


def compare(lines: Sequence[Line]) -> list[Outcome]:
    """What an import of ``lines`` would do now, line by line."""
    on_record = _on_record(lines)

    def outcome(line: Line) -> Outcome:
        terms = on_record.get((line.kind, line.value))
        if terms is None:
            return Outcome.NEW
        return Outcome.SAME if terms == (line.reason, line.expires_at) else Outcome.CHANGED

    return [outcome(line) for line in lines]


def _on_record(
    lines: Sequence[Line],
) -> dict[tuple[str, str], tuple[str, datetime.datetime | None]]:
    """Reason and end of the entries that are there already, by kind and value."""
    values = [line.value for line in lines]
    found = {}
    for start in range(0, len(values), 500):  # databases limit the parameters of a statement
        entries = DenylistEntry.objects.filter(value__in=values[start : start + 500])
        for entry in entries:
            found[entry.kind, entry.value] = (entry.reason, entry.expires_at)
    return found


def import_lines(lines: Sequence[Line], *, actor: Actor) -> Counter[Outcome]:
    """Write every line in one transaction; returns how many were new, changed and the same.

    Two commits, as ``pki.denylist.entries`` explains: when this returns, nothing is issued to
    anybody on the list.
    """

    def write_all() -> Counter[Outcome]:
        outcomes = compare(lines)
        for line, outcome in zip(lines, outcomes, strict=True):
            if outcome is not Outcome.SAME:
                write(
                    line.kind,
                    line.value,
                    reason=line.reason,
                    actor=actor,
                    expires_at=line.expires_at,
                )
        return Counter(outcomes)

    outcomes = in_write_transaction(write_all)
    void_intents_of([(line.kind, line.value) for line in lines], actor=actor)
    return outcomes
