"""Start, cancel and continue jobs. Each of these leaves a row on the audit trail.

The lines of a job are written in several transactions, so a job is in preparation until all of them
are there. A crash before that leaves a job on which nothing is done, and which can be cancelled.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from django.db.models import F
from django.utils import timezone

from pki.jobs.kinds import JobKind, Parameters, kind_of
from pki.jobs.pace import Pace
from pki.models import Job, JobLine
from pki.operators.errors import OperatorError
from pki.record import audit_trail, due_work
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction, in_write_transactions

LONGEST_SUBJECT = 200  # characters, as the column has them
LINES_TOGETHER = 500
"""Lines that a transaction writes at most."""
MOST_LINES = 100_000
"""Lines of a job. Writing so many takes some ten seconds, for which a page can wait."""

State = Job.State


def start_job(
    kind: str,
    subjects: Iterable[str],
    *,
    parameters: Parameters,
    actor: Actor,
    details: Sequence[Any] | None = None,
) -> Job:
    """Write a job with a line for each of ``subjects``, and return it for the workers to work on.

    ``details`` are what the kind has to know of each, beside its name: JSON values, which are not
    secret. While an equal job of the same actor has not ended, that one is returned. Raises
    ``OperatorError`` for parameters that the kind refuses, no subjects, more than ``MOST_LINES`` or
    one that is too long.
    """
    kind_of(kind).check(parameters)
    named = dict.fromkeys(islice(subjects, MOST_LINES + 1))
    if details is not None:
        named = dict(zip(named, details, strict=True))
    if not named:
        raise OperatorError("The job has no lines. Name at least one thing to act on.")
    if len(named) > MOST_LINES:
        raise OperatorError(
            f"The job has more than {MOST_LINES} lines. Divide it, for example by a filter."
        )
    for number, subject in enumerate(named, 1):
        if len(subject) > LONGEST_SUBJECT:
            raise OperatorError(
                f"Line {number} has {len(subject)} characters. At most {LONGEST_SUBJECT} are taken."
            )
    key = _request_key(kind, named, parameters, actor)

    # Step 1: the job, on which nobody works yet.
    job = in_write_transaction(lambda: _find_or_create(kind, parameters, actor, key, len(named)))
    if job.state != State.PREPARING:
        return job

    # Step 2: its lines. After a crash, the same request adds those that are missing.
    written = set(job.lines.values_list("number", flat=True))
    missing = [item for item in enumerate(named.items(), 1) if item[0] not in written]

    def write(chunk: Sequence[tuple[int, tuple[str, Any]]]) -> None:
        JobLine.objects.bulk_create(
            JobLine(job=job, number=number, subject=subject, details=more)
            for number, (subject, more) in chunk
        )

    Pace(LINES_TOGETHER).in_transactions(missing, write)

    # Step 3: from here on it is due.
    def begin() -> None:
        if Job.objects.filter(pk=job.pk, state=State.PREPARING).update(state=State.RUNNING):
            _record("job-start", job, actor, after={"kind": kind, "lines": len(named)})
            due_work.announce(timezone.now())

    in_write_transaction(begin)
    job.refresh_from_db()
    return job


def cancel_job(job: Job, *, actor: Actor, reason: str = "") -> None:
    """End a job. The chunk that is under way is finished, and what was done stays done.

    What a kind is all or nothing about is taken back, by the workers. Raises ``OperatorError`` if
    the job has ended already, or if the kind cannot take it back any more.
    """
    kind = _known_kind(job.kind)
    state = State.CANCELLING if kind and kind.clear_up else State.CANCELLED

    def cancel() -> None:
        # The job's row first: what else writes to it waits, and is then seen by the kind's check.
        changed = Job.objects.filter(pk=job.pk, state__in=_CANCELLABLE).update(
            state=state, ended_at=timezone.now(), request_key=None
        )
        row = Job.objects.get(pk=job.pk)
        if not changed:
            raise OperatorError(f"The job has ended already ({row.state}: {row.progress}).")
        if kind:
            kind.check_cancel(row)
        _record("job-cancel", row, actor, reason=reason, after=counts(row))
        due_work.announce(timezone.now())

    in_write_transaction(cancel)
    job.refresh_from_db()


def continue_job(job: Job, *, actor: Actor) -> None:
    """Make a job that ended due again: from where an error stopped it, and the lines that failed.

    Raises ``OperatorError`` if the job runs or was cancelled, or has nothing left to do.
    """

    def find() -> list[Any]:
        return list(job.lines.filter(state=JobLine.State.FAILED).values_list("pk", flat=True))

    def check() -> None:
        row = Job.objects.get(pk=job.pk)
        if row.state in (State.CANCELLED, State.CANCELLING):
            raise OperatorError("The job was cancelled. Start a new one.")
        if row.state not in _CONTINUABLE:
            raise OperatorError(f"The job is {row.state}. It goes on by itself.")
        if row.state == State.FINISHED and not row.failed:
            raise OperatorError("The job is finished, and no line failed. Nothing is left to do.")

    def wait_again(chunk: Sequence[Any]) -> None:
        failed = JobLine.objects.filter(pk__in=chunk, state=JobLine.State.FAILED)
        changed = failed.update(state=JobLine.State.WAITING, result="")
        Job.objects.filter(pk=job.pk).update(failed=F("failed") - changed)

    def run() -> None:
        changed = Job.objects.filter(pk=job.pk, state__in=_CONTINUABLE).update(
            state=State.RUNNING, error="", position=0, ended_at=None, lease=None, leased_until=None
        )
        if changed:
            _record("job-continue", job, actor)
            due_work.announce(timezone.now())

    check()
    in_write_transactions(in_write_transaction(find), wait_again)
    in_write_transaction(run)
    job.refresh_from_db()


_CONTINUABLE = (State.FAILED, State.FINISHED)
_CANCELLABLE = (State.PREPARING, State.RUNNING, State.FAILED)


def _known_kind(name: str) -> JobKind | None:
    """Return the kind; None if this version has none. A job of another version can be cancelled."""
    try:
        return kind_of(name)
    except OperatorError:
        return None


def counts(job: Job) -> dict[str, int]:
    """Return how many lines there are, were done and failed, for the audit trail."""
    return {"lines": job.total, "done": job.done, "failed": job.failed}


def _find_or_create(kind: str, parameters: Parameters, actor: Actor, key: str, total: int) -> Job:
    found = Job.objects.filter(request_key=key).first()
    return found or Job.objects.create(
        kind=kind,
        parameters=parameters,
        actor=actor.name[:200],
        source_ip=actor.source_ip,
        request_key=key,
        total=total,
    )


def _request_key(kind: str, lines: Mapping[str, Any], parameters: Parameters, actor: Actor) -> str:
    """Return the idempotency key, which is equal for a repeated request."""
    text = json.dumps([kind, list(lines.items()), parameters, actor.name], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _record(action: str, job: Job, actor: Actor, **values: Any) -> None:
    audit_trail.record(action, actor=actor, target=f"job:{job.pk}", **values)
