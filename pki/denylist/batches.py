"""Stage the entries of an import, put them in force all at once, and settle them.

1. ``stage`` writes entries that stop nothing yet, a few at a time, so that no device waits long.
2. ``put_in_force`` changes one row, the batch's. From then on all of its entries stop enrollments,
   as after the first commit of a deny. The caller makes the second one (``pki.denylist.entries``).
3. ``settle`` (``pki.denylist.adding``) makes the batch's terms the entries' own, a few at a time,
   with the audit row that a single deny has.

Before the second step ``discard`` takes everything back.
"""

import datetime
import uuid
from collections.abc import Sequence

from django.db.models import Q
from django.utils import timezone

from pki.denylist.adding import Outcome, outcome_of_adding, signed_parts_on_record
from pki.denylist.csv_import import Line, entries_of
from pki.models import DenylistBatch, DenylistEntry
from pki.models.denylist import NEVER
from pki.operators.errors import OperatorError
from pki.record import audit_trail
from pki.record.audit_trail import Actor

Staged = Outcome | OperatorError
"""What the line will do, as far as it is known before the batch is in force, or why it cannot."""


def find_or_create(pk: uuid.UUID, *, is_replacing: bool, actor: Actor) -> DenylistBatch:
    """Return the batch of the import ``pk``, in the caller's transaction."""
    found = DenylistBatch.objects.filter(pk=pk).first()
    return found or DenylistBatch.objects.create(
        pk=pk,
        is_replacing=is_replacing,
        created_by=actor.name[:150],
        source_ip=actor.source_ip,
    )


def stage(lines: Sequence[Line], batch: DenylistBatch) -> list[Staged]:
    """Write what the lines add, in the caller's transaction; none of it is in force.

    Each line's entry gets the terms of the batch beside its own. So what becomes of the entry is
    decided when the batch is in force, whatever other operators did to it until then. An entry can
    have terms of one batch only, so a line fails whose entry waits for another import.
    """
    rows = entries_of(lines)
    signed = _signed_parts(lines)
    now = timezone.now()
    new: list[DenylistEntry] = []
    known: dict[tuple[str, datetime.datetime | None], list[uuid.UUID]] = {}
    staged: list[Staged] = []

    # Step 1: what each line does.
    for line in lines:
        row = rows.get((line.kind, line.value))
        if row is not None and row.batch_id not in (None, batch.pk):
            staged.append(_is_of_another(line, row))
            continue
        if row is None:
            new.append(_waiting_entry(line, batch, signed.get((line.kind, line.value)), now))
        else:
            known.setdefault((line.reason, line.expires_at), []).append(row.pk)
        staged.append(
            outcome_of_adding(row, line.reason, line.expires_at, is_replacing=batch.is_replacing)
        )

    # Step 2: a row with the same value that another writer added meanwhile makes this start over.
    DenylistEntry.objects.bulk_create(new)

    # Step 3: the terms beside those of entries that are there.
    free = DenylistEntry.objects.filter(Q(batch=None) | Q(batch=batch))
    for (reason, expires_at), keys in known.items():
        changed = free.filter(pk__in=keys).update(
            batch=batch, next_reason=reason, next_expires_at=expires_at
        )
        if changed < len(keys):  # one was removed, or got into another batch, since it was read
            return stage(lines, batch)
    return staged


def _is_of_another(line: Line, row: DenylistEntry) -> OperatorError:
    return OperatorError(
        f"{line.kind} {line.value} is in another import, job {row.batch_id}, which has not ended. "
        "Continue this job when that one has ended, or cancel one of them."
    )


def _waiting_entry(
    line: Line, batch: DenylistBatch, signed: str | None, now: datetime.datetime
) -> DenylistEntry:
    return DenylistEntry(
        kind=line.kind,
        value=line.value,
        signed_sha256=line.signed_sha256 or signed,
        reason=line.reason,
        created_by=batch.created_by,
        created_at=now,
        expires_at=NEVER,
        batch=batch,
        next_reason=line.reason,
        next_expires_at=line.expires_at,
    )


def _signed_parts(lines: Sequence[Line]) -> dict[tuple[str, str], str]:
    """Return what is known of the signed parts of the certificates that lines name."""
    values: dict[str, list[str]] = {}
    for line in lines:
        if line.signed_sha256 is None:
            values.setdefault(line.kind, []).append(line.value)
    return {
        (kind, value): signed
        for kind, named in values.items()
        for value, signed in signed_parts_on_record(kind, named).items()
    }


def put_in_force(batch: DenylistBatch, *, lines: int, actor: Actor) -> None:
    """Put all entries of a batch in force, in the caller's transaction."""
    waiting = DenylistBatch.objects.filter(pk=batch.pk, in_force_at=None)
    if waiting.update(in_force_at=timezone.now()):
        audit_trail.record(
            "deny-import", actor=actor, target=f"job:{batch.pk}", after={"lines": lines}
        )


def add_signed_parts(lines: Sequence[Line]) -> None:
    """Write the signed parts that lines know of, where the entries have none yet."""
    for line in lines:
        if line.signed_sha256 is not None:
            DenylistEntry.objects.filter(
                kind=line.kind, value=line.value, signed_sha256=None
            ).update(signed_sha256=line.signed_sha256)


def discard(lines: Sequence[Line], batch: DenylistBatch) -> None:
    """Take back what ``stage`` wrote for the lines, in the caller's transaction.

    The batch can never be in force any more, because its job was cancelled.
    """
    of_batch = DenylistEntry.objects.filter(value__in={line.value for line in lines}, batch=batch)
    of_batch.filter(expires_at=NEVER).delete()
    of_batch.update(batch=None, next_reason=None, next_expires_at=None)
