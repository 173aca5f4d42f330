"""Notices: what is wrong with the installation, and what to do about it.

A notice follows from the state each time it is asked for, and no row says that it is there. A
person may take it on (``acknowledge``), which is a row and on the audit trail. It is open again
when it gets worse, and after ``HOLDS_FOR``, so that nothing is put aside for ever.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils import timezone

from estserver.console.overview.fleet import DAY
from estserver.models import Acknowledgement
from pki.operators.errors import OperatorError
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction

HOLDS_FOR = 14 * DAY
"""How long an acknowledgement holds, and a notice that was solved after it is shown."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that is wrong."""

    key: str
    """What it is about, the same each time: ``parked:default``."""
    severity: int
    """How much it is: a number of rows, or a step. A higher one opens the notice again."""
    is_urgent: bool
    """Whether devices are refused, or stop working, now."""
    what: str
    todo: str
    url: str = ""
    """The page where it is done, or the list of what is meant."""
    acknowledged: Acknowledgement | None = None


@dataclass(frozen=True, slots=True)
class Notices:
    """All notices by how far they are."""

    open: tuple[Notice, ...]
    acknowledged: tuple[Notice, ...]
    solved: tuple[Acknowledgement, ...]


def sort_notices(found: Sequence[Notice]) -> Notices:
    """Return the notices by what was acknowledged, and those that are solved since."""
    known = {
        row.key: row for row in Acknowledgement.objects.filter(at__gt=timezone.now() - HOLDS_FOR)
    }
    taken = {
        notice.key: known[notice.key]
        for notice in found
        if notice.key in known and notice.severity <= known[notice.key].severity
    }
    present = {notice.key for notice in found}
    return Notices(
        open=tuple(notice for notice in found if notice.key not in taken),
        acknowledged=tuple(
            _with(notice, taken[notice.key]) for notice in found if notice.key in taken
        ),
        solved=tuple(row for key, row in sorted(known.items()) if key not in present),
    )


def acknowledge(notice: Notice, *, actor: Actor, reason: str) -> Acknowledgement:
    """Record that a person takes the notice on. Raises ``OperatorError`` without a reason."""
    if not reason.strip():
        raise OperatorError("Say why, or who works on it. The reason is kept on the audit trail.")
    fields = {
        "severity": notice.severity,
        "actor": actor.name[:200],
        "reason": reason.strip()[:500],
        "at": timezone.now(),
    }

    def record() -> Acknowledgement:
        row = Acknowledgement.objects.filter(key=notice.key).first()
        if row is None:
            row = Acknowledgement(key=notice.key)
        for name, value in fields.items():
            setattr(row, name, value)
        row.save()
        audit_trail.record(
            "notice.acknowledge",
            actor=actor,
            target=f"notice:{notice.key}",
            reason=reason.strip(),
            after={"what": notice.what, "severity": notice.severity},
        )
        return row

    return in_write_transaction(record)


def _with(notice: Notice, row: Acknowledgement) -> Notice:
    return Notice(
        notice.key,
        notice.severity,
        notice.is_urgent,
        notice.what,
        notice.todo,
        notice.url,
        row,
    )
