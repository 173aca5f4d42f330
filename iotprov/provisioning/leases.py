"""A worker's hold on a row of the outbox: leased, then settled, postponed, parked or given back.

Two workers never hold one row, because a lease is a conditional UPDATE. A lease that ran out is
taken over. A worker whose lease ran out writes no result: results count only while lease and
revision are unchanged. AWS knows no leases, so a condition cannot undo what a late worker did
there. The late worker makes the row due again instead, and the next pass corrects AWS IoT.
"""

import datetime
import logging
import uuid
from dataclasses import dataclass
from typing import Any

from django.db.models.functions import Coalesce
from django.utils import timezone

from iotprov.models import Provisioning
from iotprov.provisioning.outbox import LONGEST_ERROR, due_again
from iotprov.provisioning.retry_policy import (
    MOST_ATTEMPTS,
    RetryAdvice,
    pause_before_next,
    retry_advice,
)
from pki.operators.errors import OperatorError
from pki.record.transactions import in_write_transaction

logger = logging.getLogger(__name__)

LEASE = datetime.timedelta(seconds=120)
"""Longer than a worker takes for a row (``worker.ROW_SECONDS``), the last call included."""

State = Provisioning.State


@dataclass(frozen=True, slots=True)
class Job:
    """A leased row, as it was when the lease began."""

    row_id: uuid.UUID
    certificate_id: uuid.UUID
    target: str
    lease: uuid.UUID
    revision: int
    attempts: int
    is_thing_ours: bool
    """Whether this server made the thing, perhaps incompletely: the row was never settled."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What AWS IoT holds after an attempt, and when to look again."""

    aws_certificate_id: str = ""
    aws_status: str = ""
    thing_name: str | None = None
    """``None`` leaves the name on record unchanged."""
    note: str = ""
    next_attempt_at: datetime.datetime | None = None


def lease(row_id: uuid.UUID) -> Job | None:
    """Lease a due row for ``LEASE``; ``None`` when it is not due or another worker has it.

    Raises ``Busy``, as every function here that writes does.
    """
    token, now = uuid.uuid4(), timezone.now()

    def take() -> Provisioning | None:
        due = Provisioning.objects.due(now).filter(pk=row_id)
        if not due.update(lease=token, leased_until=now + LEASE):
            return None
        # Read after the UPDATE: a change of the desired state from here on raises the revision.
        return Provisioning.objects.get(pk=row_id)

    row = in_write_transaction(take)
    if row is None:
        return None
    return Job(
        row_id=row.pk,
        certificate_id=row.certificate_id,
        target=row.target,
        lease=token,
        revision=row.revision,
        attempts=row.attempts,
        is_thing_ours=row.is_thing_ours and row.settled_at is None,
    )


def remember_thing(job: Job, thing_name: str) -> None:
    """Record that this server is about to make the thing, before it is made.

    After a crash, the next worker then knows that the thing did not exist before.
    """
    in_write_transaction(lambda: _leased_row(job).update(thing_name=thing_name, is_thing_ours=True))


def settle(job: Job, outcome: Outcome) -> bool:
    """Record that AWS IoT agrees; returns ``False`` if the desired state changed meanwhile.

    In that case the row stays due, and the next worker can lease it at once.
    """
    learned: dict[str, Any] = {
        "aws_certificate_id": outcome.aws_certificate_id,
        "aws_status": outcome.aws_status,
        "note": outcome.note[:500],
        "lease": None,
        "leased_until": None,
    }
    if outcome.thing_name is not None:
        learned["thing_name"] = outcome.thing_name

    def write() -> bool:
        settled = (
            _leased_row(job)
            .filter(revision=job.revision)
            .update(
                **learned,
                state=State.SETTLED,
                is_urgent=False,
                attempts=0,
                error="",
                next_attempt_at=outcome.next_attempt_at,
                pending_since=None,
                settled_at=timezone.now(),
            )
        )
        if settled:
            return True
        if not _leased_row(job).update(**learned):
            _start_over(job)
        return False

    return in_write_transaction(write)


def release(job: Job) -> None:
    """Give the lease back unused. The row stays due as it was."""

    def write() -> None:
        if not _leased_row(job).update(lease=None, leased_until=None):
            _start_over(job)

    in_write_transaction(write)


def postpone(job: Job, error: Exception) -> bool:
    """Record a failure and when to try again; returns whether the row is parked instead.

    A row is parked after ``MOST_ATTEMPTS`` permanent failures. A throttled attempt is not counted,
    because nothing is wrong with the row. An exception other than
    ``OperatorError`` is a bug: its text stays in the log, because it may quote anything.
    """
    advice = retry_advice(error) if isinstance(error, OperatorError) else RetryAdvice.PERMANENT
    failures = job.attempts + (advice is not RetryAdvice.THROTTLED)
    is_parked = advice is RetryAdvice.PERMANENT and failures >= MOST_ATTEMPTS
    now = timezone.now()
    said = (
        str(error) if isinstance(error, OperatorError) else f"{type(error).__name__}: see the log"
    )

    def write() -> None:
        changes = {
            "error": said.replace("\0", "")[:LONGEST_ERROR],
            "lease": None,
            "leased_until": None,
        }
        failed = (
            _leased_row(job)
            .filter(revision=job.revision)
            .update(
                **changes,
                state=State.PARKED if is_parked else State.PENDING,
                attempts=failures,
                next_attempt_at=None if is_parked else now + pause_before_next(advice, failures),
                pending_since=Coalesce("pending_since", now),
            )
        )
        if not failed and not _leased_row(job).update(**changes):
            _start_over(job)

    in_write_transaction(write)
    if is_parked:
        logger.error("parked %s at %s: %s", job.certificate_id, job.target, said)
    return is_parked


def _leased_row(job: Job) -> Any:
    return Provisioning.objects.filter(pk=job.row_id, lease=job.lease)


def _start_over(job: Job) -> None:
    """Make the row due again: the lease was lost, so these calls may have undone another's."""
    logger.warning("the lease of %s at %s was lost", job.certificate_id, job.target)
    Provisioning.objects.filter(pk=job.row_id).update(**due_again(timezone.now()))
