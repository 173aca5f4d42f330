"""The outbox's rows: written with the change they stand for, leased, settled, postponed, parked.

Two workers never hold one row: a lease is a conditional UPDATE. A lease that ran out is taken
over, and whoever comes back too late writes nothing: results count only while lease and revision
are what they were. AWS knows no leases, so what a latecomer did there can't be undone by a
condition; it makes the row due again instead, and the next pass puts right what is wrong.
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
"""Longer than anybody works on a row (``provisioning.ROW_SECONDS``), the last call included."""

SWEEP = 500  # rows
SWEEP_BACK = datetime.timedelta(days=30)
"""How far back expired certificates are looked for: longer than any schedule stands still."""

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
    """And perhaps not finished: the row has never been settled."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What AWS IoT holds now, and when to look again."""

    aws_certificate_id: str = ""
    aws_status: str = ""
    thing_name: str | None = None
    """``None``: whatever it was before."""
    note: str = ""
    next_attempt_at: datetime.datetime | None = None


# Writing rows


def enqueue_new(certificate_id: uuid.UUID) -> None:
    """Say at each target that AWS IoT must be told of a certificate issued in this transaction."""
    for target in iot_settings().targets:
        hot_path_sql.insert(Provisioning(certificate_id=certificate_id, target=target.name))


def enqueue(
    certificate_ids: Collection[uuid.UUID], *, is_urgent: bool, targets: Collection[str] = ()
) -> None:
    """Say, in the caller's transaction, that AWS IoT may not agree any more.

    At every target of the configuration, or at ``targets``. A row that exists counts up its
    revision, so that whoever works on it won't settle it.
    """
    now = timezone.now()
    names = targets or [target.name for target in iot_settings().targets]
    for certificate_id in certificate_ids:
        for name in names:
            row = Provisioning.objects.filter(certificate_id=certificate_id, target=name)
            changes = _grown(now) | ({"is_urgent": True} if is_urgent else {})
            if not row.update(**changes):
                hot_path_sql.insert(
                    Provisioning(certificate_id=certificate_id, target=name, is_urgent=is_urgent)
                )


def schedule(certificate_id: uuid.UUID, at: datetime.datetime) -> None:
    """Say, in the caller's transaction, that something else will be wanted from ``at`` on.

    Nothing has to be done before, so a row that is settled stays so; one that is pending finds out
    by itself. A certificate that AWS IoT was never told of gets its row now.
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
        if parked.update(**_grown(timezone.now()) | {"next_attempt_at": at}) or row.exists():
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
    """Make rows due that failed and wait for their next attempt; returns how many there are.

    For whoever has just mended what made them fail. ``target`` is the name of the only one meant.
    """
    waiting = Provisioning.objects.pending()
    if target:
        waiting = waiting.filter(target=target)
    return in_write_transaction(lambda: waiting.update(next_attempt_at=timezone.now()))


def _grown(now: datetime.datetime) -> dict[str, Any]:
    return {
        "revision": F("revision") + 1,
        "state": State.PENDING,
        "attempts": 0,
        "next_attempt_at": now,
        "error": "",
        "pending_since": Coalesce("pending_since", now),
    }


def enqueue_expired() -> int:
    """Write rows for expired certificates that have none, so that they are removed from AWS IoT.

    Those of JITP's devices that were never renewed: all others have a row since something was
    wanted of AWS IoT. Returns how many there were, at most ``SWEEP`` at a time.
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
    """Take a due row for ``LEASE``; ``None`` when it isn't due, or somebody else has it.

    Raises ``Busy`` like everything here that writes.
    """
    token, now = uuid.uuid4(), timezone.now()

    def take() -> Provisioning | None:
        due = Provisioning.objects.due(now).filter(pk=row_id)
        if not due.update(lease=token, leased_until=now + LEASE):
            return None
        # After the UPDATE: whoever changes what is wanted from here on makes the revision grow.
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
    """Put on record that the thing about to be made is ours, before it is made.

    Whoever takes over after a crash so knows that it didn't exist before.
    """
    in_write_transaction(lambda: _held(job).update(thing_name=thing_name, is_thing_ours=True))


def settle(job: Job, outcome: Outcome) -> bool:
    """Record that AWS IoT agrees; returns ``False`` when something else is wanted meanwhile.

    The row is due at once then, and whoever asks next gets its lease.
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
            _held(job)
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
        if not _held(job).update(**learned):
            _start_over(job)
        return False

    return in_write_transaction(write)


def release(job: Job) -> None:
    """Give the lease back with nothing said: there was no time, and the row is due as before."""

    def write() -> None:
        if not _held(job).update(lease=None, leased_until=None):
            _start_over(job)

    in_write_transaction(write)


def postpone(job: Job, error: Exception) -> bool:
    """Record a failure and when to try again; what no repetition mends is parked in the end.

    Returns whether it is. What isn't an ``OperatorError`` is a bug of ours: its text stays in the
    log, for it may quote anything.

    A throttled attempt doesn't count: nothing is wrong with the row.
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
            _held(job)
            .filter(revision=job.revision)
            .update(
                **changes,
                state=State.PARKED if is_parked else State.PENDING,
                attempts=failures,
                next_attempt_at=None if is_parked else now + pause_before_next(advice, failures),
                pending_since=Coalesce("pending_since", now),
            )
        )
        if not failed and not _held(job).update(**changes):
            _start_over(job)

    in_write_transaction(write)
    if is_parked:
        logger.error("parked %s at %s: %s", job.certificate_id, job.target, said)
    return is_parked


def _held(job: Job) -> Any:
    return Provisioning.objects.filter(pk=job.row_id, lease=job.lease)


def _start_over(job: Job) -> None:
    """Our lease ran out and another took the row, so what we did at AWS may have undone theirs."""
    logger.warning("the lease of %s at %s was lost", job.certificate_id, job.target)
    Provisioning.objects.filter(pk=job.row_id).update(**_grown(timezone.now()))


# What an operator decides


def retry(row: Provisioning, *, actor: Actor, reason: str = "") -> None:
    """Make a row due now, parked or not."""
    _decide(row, "provisioning-retry", _grown(timezone.now()), actor=actor, reason=reason)


def park(row: Provisioning, *, actor: Actor, reason: str) -> None:
    """Leave a row alone until somebody retries it, or something else is wanted.

    Raises ``OperatorError`` without a reason: whoever finds it parked will ask.
    """
    if not reason.strip():
        raise OperatorError("parking needs a reason: whoever finds the row will ask")
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
