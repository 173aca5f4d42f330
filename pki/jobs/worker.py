"""Work on jobs, a chunk at a time, under a lease.

A lease keeps two workers from one job while both are well. It cannot fence a worker that comes back
late, so a line may be worked on twice (``JobKind.work`` bears that), and its result counts once:
only a line that still waits takes one.
"""

import datetime
import logging
import time
import uuid
from collections.abc import Callable, Sequence
from functools import partial

from django.db.models import F
from django.utils import timezone

from pki.exceptions import Busy, PKIError
from pki.jobs.kinds import Interrupted, JobKind, kind_of
from pki.jobs.lifecycle import counts
from pki.jobs.pace import Pace, rest
from pki.models import Job, JobLine
from pki.operators.errors import OperatorError
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction

logger = logging.getLogger(__name__)

CHUNK_SECONDS = 5.0
"""Seconds after which a chunk takes no further line. At most a chunk is worked on twice."""
TURN_SECONDS = 2.0
"""How long one job is worked on while others wait for their turns."""
LEASE = datetime.timedelta(seconds=120)
"""Much longer than a chunk takes. After a crash, the job stands still for this time."""
RENEWAL = datetime.timedelta(seconds=15)
"""How old a lease is before it is renewed, which is a transaction of its own."""

LONGEST_RESULT = 1000  # characters, as the columns have them

State = Job.State
LineState = JobLine.State
Result = tuple[JobLine, LineState, str]


def next_job_due() -> datetime.datetime | None:
    """Return when a worker can take the next open job; None if there is none."""
    ends = list(Job.objects.open().values_list("leased_until", flat=True))
    return min((end or timezone.now() for end in ends), default=None)


def work_on_jobs(*, seconds: float) -> int:
    """Work on due jobs in turns, for ``seconds``; return how many chunks were worked on.

    The turn goes to the job that has waited longest for one, also over several calls. The chunk
    that is under way at the end is finished. Raises what the database raises.
    """
    end = time.monotonic() + seconds
    chunks = 0
    while done := _take_turns(end):
        chunks += done
    return chunks


def _take_turns(end: float) -> int:
    """Give each due job a turn while there is time, and return the number of chunks."""
    due = Job.objects.due(timezone.now()).order_by(
        F("last_turn_at").asc(nulls_first=True), "created_at"
    )
    chunks = 0
    for pk in list(due.values_list("pk", flat=True)):
        if (now := time.monotonic()) >= end:
            break
        until = min(end, now + TURN_SECONDS)
        chunks += work_on_job(pk, may_go_on=partial(_is_before, until))
    return chunks


def _is_before(until: float) -> bool:
    return time.monotonic() < until


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
    paces: dict[str, Pace] = {}  # lines, and what comes after them, take different times
    try:
        while may_go_on() and (job := _keep_lease(pk, token)) is not None:
            _work_on_chunk(job, paces)
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
    lease = {"lease": token, "leased_until": now + LEASE, "last_turn_at": now}
    taken = in_write_transaction(lambda: due.update(**lease))
    return token if taken else None


def _keep_lease(pk: uuid.UUID, token: uuid.UUID) -> Job | None:
    """Return the job, its lease lengthened; None if it ended, or another worker has it."""
    job = Job.objects.open().filter(pk=pk, lease=token).first()
    if job is None or job.leased_until is None:
        return None
    now = timezone.now()
    if job.leased_until - now > LEASE - RENEWAL:
        return job
    held = Job.objects.open().filter(pk=pk, lease=token)
    if not in_write_transaction(lambda: held.update(leased_until=now + LEASE)):
        return None
    return job


def _work_on_chunk(job: Job, paces: dict[str, Pace]) -> None:
    """Work on the next lines and record their results, or how the job ended."""
    actor = Actor(job.actor, str(job.pk), job.source_ip)
    results: list[Result] = []
    lines: list[JobLine] = []
    error = ""
    is_finished = False
    try:
        kind = kind_of(job.kind)
        pace = paces.setdefault("lines", Pace(kind.chunk))
        after = paces.setdefault("after", Pace(kind.chunk))
        if job.state == State.CANCELLING:
            is_finished = kind.clear_up is None or kind.clear_up(job, after)
        else:
            # Step 1: the work on lines, or what comes after the last of them.
            lines = _next_lines(job, kind, pace)
            if not lines:
                is_finished = kind.finish(job, actor, after)
            elif kind.work_together is not None:
                pace.in_transaction(len(lines), partial(_work_together, kind, job, lines, actor))
            else:
                _work_one_by_one(kind, job, lines, actor, results)
    except Busy:
        raise  # the database, and not the job: it stays due
    except Interrupted:
        pass  # the job was cancelled, or is another worker's now
    except OperatorError as refusal:
        error = str(refusal)
    except Exception as failure:  # a bug may not stop the other jobs, nor be tried for ever
        logger.exception("job %s stopped", job.pk)
        is_of_line = len(results) < len(lines) and kind.work_together is None
        at = f"Line {lines[len(results)].number}: " if is_of_line else ""
        error = f"{at}{type(failure).__name__}. The log says more. {_what_to_do(job)}"
    finally:
        # Step 2: what was done is on record, also when a line was interrupted.
        if results:
            in_write_transaction(lambda: _record_results(job, results))

    # Step 3: the end, if this was it.
    if error:
        _end(job, State.FAILED, error)
    elif is_finished:
        is_cancelled = job.state == State.CANCELLING
        _end(job, State.CANCELLED if is_cancelled else State.FINISHED, "")


def _what_to_do(job: Job) -> str:
    what = "Cancel" if job.state == State.CANCELLING else "Continue"
    return f"{what} the job when the cause is gone."


def _next_lines(job: Job, kind: JobKind, pace: Pace) -> list[JobLine]:
    most = kind.chunk if kind.work_together is None else pace.rows
    waiting = job.lines.filter(number__gt=job.position, state=LineState.WAITING)
    return list(waiting.order_by("number")[:most])


def _work_together(kind: JobKind, job: Job, lines: Sequence[JobLine], actor: Actor) -> None:
    """Work on lines and record their results in the same transaction, unless another has the job.

    So what a late worker did is taken back with its results, and nothing is done twice.
    """
    assert kind.work_together is not None  # noqa: S101  # the caller looked
    held = Job.objects.filter(pk=job.pk, state=State.RUNNING, lease=job.lease)
    if held.update(position=F("position")):
        said = kind.work_together(job, lines, actor)
        _record_results(job, [(line, *each) for line, each in zip(lines, said, strict=True)])


def _work_one_by_one(
    kind: JobKind, job: Job, lines: Sequence[JobLine], actor: Actor, results: list[Result]
) -> None:
    """Work on lines, each in transactions of its own, and add to ``results``.

    Slow lines are fewer to a chunk, so that the lease is lengthened long before it runs out.
    """
    end = time.monotonic() + CHUNK_SECONDS
    for line in lines:
        if results and time.monotonic() >= end:
            return
        began = time.monotonic()
        try:
            results.append((line, LineState.DONE, _work_on_line(kind, job, line, actor)))
        except Busy:
            raise
        except (OperatorError, PKIError) as refusal:
            results.append((line, LineState.FAILED, str(refusal)))
        rest((time.monotonic() - began) / 4)  # its transactions are short, and not one


def _work_on_line(kind: JobKind, job: Job, line: JobLine, actor: Actor) -> str:
    if kind.work_at_length is not None:
        return kind.work_at_length(job, line, actor, partial(_keep_or_interrupt, job))
    assert kind.work is not None  # noqa: S101  # each kind has one of them
    return kind.work(line.subject, job.parameters, actor)


def _keep_or_interrupt(job: Job) -> None:
    """Lengthen the lease of a job that is still this worker's, or raise ``Interrupted``."""
    assert job.lease is not None  # noqa: S101  # it is being worked on
    kept = _keep_lease(job.pk, job.lease)
    if kept is None or kept.state != State.RUNNING:
        raise Interrupted


def _record_results(job: Job, results: Sequence[Result]) -> None:
    """Write results in the caller's transaction, those that are equal with one statement."""
    alike: dict[tuple[LineState, str], list[uuid.UUID]] = {}
    for line, state, said in results:
        said = said.replace("\0", "")[:LONGEST_RESULT]
        alike.setdefault((state, said), []).append(line.pk)
    tally = {LineState.DONE: 0, LineState.FAILED: 0}
    for (state, said), keys in alike.items():
        still_waits = JobLine.objects.filter(pk__in=keys, state=LineState.WAITING)
        tally[state] += still_waits.update(state=state, result=said)
    row = Job.objects.filter(pk=job.pk)
    tallied = {
        "done": F("done") + tally[LineState.DONE],
        "failed": F("failed") + tally[LineState.FAILED],
    }
    # A late worker must not carry the position past lines that were made to wait again.
    position = results[-1][0].number
    if not row.filter(lease=job.lease).update(**tallied, position=position):
        row.update(**tallied)


_ENDS = {
    State.FINISHED: "job-finish",
    State.FAILED: "job-fail",
    State.CANCELLED: "",  # the audit trail has the cancellation
}


def _end(job: Job, state: State, error: str) -> None:
    def end() -> None:
        # A job that was cancelled or taken over meanwhile is not ended again.
        running = Job.objects.filter(pk=job.pk, state=job.state, lease=job.lease)
        if running.update(
            state=state,
            error=error[:LONGEST_RESULT],
            ended_at=timezone.now(),
            request_key=None,
        ) and (action := _ENDS[state]):
            row = Job.objects.get(pk=job.pk)
            audit_trail.record(
                action,
                actor=Actor(job.actor, str(job.pk), job.source_ip),
                target=f"job:{job.pk}",
                reason=error,
                after=counts(row),
            )

    in_write_transaction(end)
