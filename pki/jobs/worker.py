"""Work on jobs, a chunk at a time, under a lease.

A lease keeps two workers from one job while both are well. It cannot fence a worker that comes back
late, so a line may be worked on twice (``JobKind.work`` bears that), and its result counts once:
only a line that still waits takes one.
"""

import datetime
import logging
import time
import uuid
from collections.abc import Callable

from django.db.models import F
from django.utils import timezone

from pki.exceptions import Busy, PKIError
from pki.jobs.kinds import JobKind, kind_of
from pki.jobs.lifecycle import counts
from pki.models import Job, JobLine
from pki.operators.errors import OperatorError
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction

logger = logging.getLogger(__name__)

CHUNK = 25
"""Lines between two looks at whether the job was cancelled. At most these are worked on twice."""
LEASE = datetime.timedelta(seconds=120)
"""Much longer than a chunk takes. After a crash, the job stands still for this time."""

LONGEST_RESULT = 1000  # characters, as the columns have them

State = Job.State
LineState = JobLine.State
Result = tuple[JobLine, LineState, str]


def next_job_due() -> datetime.datetime | None:
    """Return when a worker can take the next open job; None if there is none."""
    ends = list(Job.objects.open().values_list("leased_until", flat=True))
    return min((end or timezone.now() for end in ends), default=None)


def work_on_jobs(*, seconds: float) -> int:
    """Work on due jobs, oldest first, for ``seconds``; return how many chunks were worked on.

    The chunk that is under way then is finished. Raises what the database raises.
    """
    end = time.monotonic() + seconds
    chunks = 0
    for pk in list(Job.objects.due(timezone.now()).order_by("created_at").values_list("pk")):
        chunks += work_on_job(pk[0], may_go_on=lambda: time.monotonic() < end)
    return chunks


def work_on_job(
    pk: uuid.UUID, *, may_go_on: Callable[[], bool], progress: Callable[[Job], None] | None = None
) -> int:
    """Work on a job until it ends or ``may_go_on`` says no; return how many chunks were worked on.

    Without the lease, which another worker may hold, nothing is done. ``progress`` is called after
    each chunk. The lease is given back also when this raises, as on an interruption.
    """
    if not may_go_on() or (token := _take_lease(pk)) is None:
        return 0
    chunks = 0
    try:
        while may_go_on() and (job := _keep_lease(pk, token)) is not None:
            _work_on_chunk(job)
            chunks += 1
            if progress:
                job.refresh_from_db()
                progress(job)
    finally:
        held = Job.objects.filter(pk=pk, lease=token)
        in_write_transaction(lambda: held.update(lease=None, leased_until=None))
    return chunks


def _take_lease(pk: uuid.UUID) -> uuid.UUID | None:
    token, now = uuid.uuid4(), timezone.now()
    due = Job.objects.due(now).filter(pk=pk)
    taken = in_write_transaction(lambda: due.update(lease=token, leased_until=now + LEASE))
    return token if taken else None


def _keep_lease(pk: uuid.UUID, token: uuid.UUID) -> Job | None:
    """Lengthen the lease and return the job; None if it ended, or another worker has it."""

    def keep() -> Job | None:
        held = Job.objects.open().filter(pk=pk, lease=token)
        if not held.update(leased_until=timezone.now() + LEASE):
            return None
        return Job.objects.get(pk=pk)

    return in_write_transaction(keep)


def _work_on_chunk(job: Job) -> None:
    """Work on the next lines and record their results, or how the job ended."""
    waiting = job.lines.filter(number__gt=job.position, state=LineState.WAITING)
    lines = list(waiting.order_by("number")[:CHUNK])
    results: list[Result] = []
    error = ""
    try:
        # Step 1: each line's work, in short transactions of its own.
        kind = kind_of(job.kind)
        for line in lines:
            results.append((line, *_work_on_line(kind, job, line)))
    except Busy:
        raise  # the database, and not the job: it stays due
    except Exception as failure:  # a bug may not stop the other jobs, nor be tried for ever
        logger.exception("job %s stopped", job.pk)
        at = f"Line {lines[len(results)].number}: " if len(results) < len(lines) else ""
        said = failure if isinstance(failure, OperatorError) else type(failure).__name__
        error = f"{at}{said}. The log says more. Continue the job when the cause is gone."
    finally:
        # Step 2: what was done is on record, also when a line was interrupted.
        in_write_transaction(lambda: _record_results(job, results))

    # Step 3: the end, if this was it.
    if error:
        _end(job, State.FAILED, error)
    elif len(lines) < CHUNK:
        _end(job, State.FINISHED, "")


def _work_on_line(kind: JobKind, job: Job, line: JobLine) -> tuple[LineState, str]:
    # The job's id stands as the request id, so that the audit trail finds all that it did.
    actor = Actor(job.actor, str(job.pk), job.source_ip)
    try:
        return LineState.DONE, kind.work(line.subject, job.parameters, actor)
    except Busy:
        raise
    except (OperatorError, PKIError) as refusal:
        return LineState.FAILED, str(refusal)


def _record_results(job: Job, results: list[Result]) -> None:
    tally = {LineState.DONE: 0, LineState.FAILED: 0}
    for line, state, said in results:
        still_waits = JobLine.objects.filter(pk=line.pk, state=LineState.WAITING)
        tally[state] += still_waits.update(
            state=state, result=said.replace("\0", "")[:LONGEST_RESULT]
        )
    if results:
        row = Job.objects.filter(pk=job.pk)
        row.update(
            done=F("done") + tally[LineState.DONE], failed=F("failed") + tally[LineState.FAILED]
        )
        # A late worker must not carry the position past lines that were made to wait again.
        row.filter(lease=job.lease).update(position=results[-1][0].number)


def _end(job: Job, state: State, error: str) -> None:
    def end() -> None:
        # A job that was cancelled or taken over meanwhile is not ended again.
        running = Job.objects.open().filter(pk=job.pk, lease=job.lease)
        if running.update(
            state=state,
            error=error[:LONGEST_RESULT],
            ended_at=timezone.now(),
            request_key=None,
        ):
            row = Job.objects.get(pk=job.pk)
            audit_trail.record(
                "job-finish" if state == State.FINISHED else "job-fail",
                actor=Actor(job.actor, str(job.pk), job.source_ip),
                target=f"job:{job.pk}",
                reason=error,
                after=counts(row),
            )

    in_write_transaction(end)
