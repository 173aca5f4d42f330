"""The rows of the outbox: written with the change they stand for, leased, settled, or parked.

Two workers never hold one row, because a lease is a conditional UPDATE. A lease that ran out is
taken over. A worker whose lease ran out writes no result: results count only while lease and
revision are unchanged. AWS knows no leases, so a condition cannot undo what a late worker did
there. The late worker makes the row due again instead, and the next pass corrects AWS IoT.
"""

import datetime
import logging
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, DateTimeField, F, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from iotprov.conf import iot_settings
from iotprov.models import Provisioning
from iotprov.provisioning.retry_policy import (
    MOST_ATTEMPTS,
    RetryAdvice,
    pause_before_next,
    retry_advice,
)
from pki.choices import IoTProvisioning
from pki.models import IssuedCertificate, hot_path_sql
from pki.operators.errors import OperatorError
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction

logger = logging.getLogger(__name__)

LEASE = datetime.timedelta(seconds=120)
"""Longer than a worker takes for a row (``worker.ROW_SECONDS``), the last call included."""

SWEEP = 500  # rows
SWEEP_BACK = datetime.timedelta(days=30)
"""How far back expired certificates are looked for: longer than a schedule is ever stopped."""

_LONGEST_ERROR = 1000  # characters, as the column has them

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


# Writing rows


def enqueue_new(certificate_id: uuid.UUID) -> None:
    """Write a row at each target for a certificate that this transaction issues."""
    for target in iot_settings().targets:
        hot_path_sql.insert(Provisioning(certificate_id=certificate_id, target=target.name))


def enqueue(
    certificate_ids: Collection[uuid.UUID], *, is_urgent: bool, targets: Collection[str] = ()
) -> None:
    """Record, in the caller's transaction, that AWS IoT may no longer agree with the record.

    This holds for every target of the configuration, or for ``targets``. An existing row counts
    up its revision, so that a worker that is under way does not settle it.
    """
    now = timezone.now()
    names = targets or [target.name for target in iot_settings().targets]
    for certificate_id in certificate_ids:
        for name in names:
            row = Provisioning.objects.filter(certificate_id=certificate_id, target=name)
            changes = _due_again(now) | ({"is_urgent": True} if is_urgent else {})
            if not row.update(**changes):
                hot_path_sql.insert(
                    Provisioning(certificate_id=certificate_id, target=name, is_urgent=is_urgent)
                )


def schedule(certificate_id: uuid.UUID, at: datetime.datetime) -> None:
    """Record, in the caller's transaction, that the desired state changes at ``at``.

    Nothing has to be done before that time. So a settled row stays settled, and a pending row is
    worked on in any case. A certificate that AWS IoT was never told of gets its row now.
    """
    sooner = Case(
        When(next_attempt_at__lt=at, then=F("next_attempt_at")),
        default=Value(at, output_field=DateTimeField()),
    )
    for target in iot_settings().targets:
        row = Provisioning.objects.filter(certificate_id=certificate_id, target=target.name)
        settled = row.filter(state=State.SETTLED)
        if settled.update(revision=F("revision") + 1, next_attempt_at=sooner):
            continue
        parked = row.filter(state=State.PARKED)
        if parked.update(**_due_again(timezone.now()) | {"next_attempt_at": at}) or row.exists():
            continue
        hot_path_sql.insert(
            Provisioning(
                certificate_id=certificate_id,
                target=target.name,
                state=State.SETTLED,
                pending_since=None,
                next_attempt_at=at,
            )
        )


def hurry(target: str = "") -> int:
    """Make pending rows that wait for their next attempt due now; returns how many there are.

    An operator calls it after mending the cause. ``target`` limits it to the target of that name.
    """
    waiting = Provisioning.objects.pending()
    if target:
        waiting = waiting.filter(target=target)
    return in_write_transaction(lambda: waiting.update(next_attempt_at=timezone.now()))


def _due_again(now: datetime.datetime) -> dict[str, Any]:
    return {
        "revision": F("revision") + 1,
        "state": State.PENDING,
        "attempts": 0,
        "next_attempt_at": now,
        "error": "",
        "pending_since": Coalesce("pending_since", now),
    }


def enqueue_expired() -> int:
    """Write rows for expired certificates without one, so that they are removed from AWS IoT.

    Only first certificates of JITP's devices lack a row; every other certificate got one when it
    was issued or changed. Returns how many there were, at most ``SWEEP`` at a time.
    """
    now = timezone.now()
    expired = IssuedCertificate.objects.filter(
        not_after__lte=now,
        not_after__gt=now - SWEEP_BACK,
        state=IssuedCertificate.State.ISSUED,
        profile__iot_provisioning=IoTProvisioning.JITP,
        provisionings=None,
    )

    def write() -> int:
        found = list(expired.values_list("pk", flat=True)[:SWEEP])
        enqueue(found, is_urgent=False)
        return len(found)

    return in_write_transaction(write)


# Working on rows


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

    A row is parked after ``MOST_ATTEMPTS`` failures that no repetition can mend. A throttled
    attempt is not counted, because nothing is wrong with the row. An exception other than
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
            "error": said.replace("\0", "")[:_LONGEST_ERROR],
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
    Provisioning.objects.filter(pk=job.row_id).update(**_due_again(timezone.now()))


# What an operator decides


def retry(row: Provisioning, *, actor: Actor, reason: str = "") -> None:
    """Make a row due now, whether it is parked or not."""
    _decide(row, "provisioning-retry", _due_again(timezone.now()), actor=actor, reason=reason)


def park(row: Provisioning, *, actor: Actor, reason: str) -> None:
    """Park a row until an operator retries it or its desired state changes.

    Raises ``OperatorError`` without a reason.
    """
    if not reason.strip():
        raise OperatorError("Parking needs a reason. It is kept on the audit trail.")
    said = {"state": State.PARKED, "next_attempt_at": None, "revision": F("revision") + 1}
    _decide(
        row,
        "provisioning-park",
        {**said, "error": f"parked by {actor.name}: {reason}"[:_LONGEST_ERROR]},
        actor=actor,
        reason=reason,
    )


def _decide(
    row: Provisioning, action: str, changes: dict[str, Any], *, actor: Actor, reason: str
) -> None:
    def write() -> None:
        before = Provisioning.objects.select_related("certificate").get(pk=row.pk)
        Provisioning.objects.filter(pk=row.pk).update(**changes)
        audit_trail.record(
            action,
            actor=actor,
            target=f"provisioning:{before.certificate.serial_number} at {before.target}",
            reason=reason,
            before={"state": before.state, "error": before.error},
        )

    in_write_transaction(write)
    row.refresh_from_db()
