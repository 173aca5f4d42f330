"""Import a denylist as a job: all of its lines come in force by one row, or none.

The lines are staged first, then the batch is put in force, then its entries are settled
(``pki.denylist.batches``). Until it is in force the job can be cancelled, and what was staged is
taken away again. When the job is finished, nothing is issued any more to what the lines name.
"""

import datetime
from collections.abc import Sequence
from functools import partial
from typing import Any

from django.db.models import F

from pki.denylist import batches
from pki.denylist.adding import Outcome, settle
from pki.denylist.csv_import import Line
from pki.denylist.entries import void_intents_of, wait_for_intents
from pki.jobs.kinds import JobKind, LineResult, Parameters
from pki.jobs.lifecycle import start_job
from pki.jobs.pace import Pace
from pki.jobs.worker import work_on_job
from pki.models import DenylistBatch, Job, JobLine
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction

LINES_TOGETHER = 150
"""Lines of a transaction, at most. `pki.jobs.pace` has the rule."""
LOOKED_AT_TOGETHER = 500
"""Lines whose intents are looked for at once, before these lines are settled."""

State = JobLine.State


def start_import(lines: Sequence[Line], *, is_replacing: bool, actor: Actor) -> Job:
    """Start the job that imports checked lines. Raises what ``start_job`` raises."""
    return start_job(
        "deny-import",
        [f"{line.kind} {line.value}" for line in lines],
        details=[_details(line) for line in lines],
        parameters={"is_replacing": is_replacing},
        actor=actor,
    )


def import_lines(
    lines: Sequence[Line], *, actor: Actor, is_replacing: bool = False
) -> list[Outcome]:
    """Import checked lines, and return what was done, line by line, when all are in force.

    Raises ``OperatorError`` if the job stops or another worker has it, and ``Busy``. Nothing is in
    force then, or the schedule goes on with it.
    """
    job = start_import(lines, is_replacing=is_replacing, actor=actor)
    work_on_job(job.pk, may_go_on=lambda: True)
    job.refresh_from_db()
    if job.state != Job.State.FINISHED:
        raise OperatorError(f"The import is {job.state} (job {job.pk}). {job.error}".strip())
    return [Outcome(said) for said in job.lines.order_by("number").values_list("result", flat=True)]


def _details(line: Line) -> dict[str, Any]:
    return {
        "line": line.number,
        "kind": line.kind,
        "value": line.value,
        "reason": line.reason,
        "expires_at": line.expires_at and line.expires_at.isoformat(),
        "signed_sha256": line.signed_sha256,
    }


def _line(row: JobLine) -> Line:
    of_file: dict[str, Any] = row.details or {}
    end = of_file["expires_at"]
    return Line(
        number=of_file["line"],
        kind=of_file["kind"],
        value=of_file["value"],
        reason=of_file["reason"],
        expires_at=datetime.datetime.fromisoformat(end) if end else None,
        signed_sha256=of_file["signed_sha256"],
    )


def _check(parameters: Parameters) -> None:
    if not isinstance(parameters.get("is_replacing"), bool):
        raise OperatorError("The job does not say whether entries are replaced.")


def _stage(job: Job, rows: Sequence[JobLine], actor: Actor) -> list[LineResult]:
    batch = batches.find_or_create(job.pk, is_replacing=job.parameters["is_replacing"], actor=actor)
    return [
        (State.FAILED, str(staged)) if isinstance(staged, OperatorError) else (State.DONE, staged)
        for staged in batches.stage([_line(row) for row in rows], batch)
    ]


def _finish(job: Job, actor: Actor, pace: Pace) -> bool:
    """Put the batch in force, or settle the next entries of it."""
    batch = DenylistBatch.objects.get(pk=job.pk)
    if batch.in_force_at is None:
        if batch.position:
            raise OperatorError("The job was being cancelled. Cancel it again.")
        job.refresh_from_db(fields=["failed", "total"])
        if job.failed:
            raise OperatorError(
                f"{job.failed} of {job.total} lines failed, so nothing of the file is in force. "
                "Continue the job when the causes are gone, or cancel it."
            )
        in_write_transaction(partial(_put_in_force, job, batch, actor))
        # The second commit of a deny: what read before the first one is issued now, or not at all.
        wait_for_intents()
        return False
    rows = list(job.lines.filter(number__gt=batch.position).order_by("number")[:LOOKED_AT_TOGETHER])
    if not rows:
        return True
    entries = [(line.kind, line.value) for line in map(_line, rows)]
    void_intents_of(entries, actor=actor)
    pace.in_transactions(rows, partial(_settle, batch))
    return False


def _put_in_force(job: Job, batch: DenylistBatch, actor: Actor) -> None:
    """Put the batch in force unless the job was cancelled, or another worker has it."""
    # Writing to the job's row first makes this and a cancellation wait for each other.
    running = Job.objects.filter(pk=job.pk, state=Job.State.RUNNING, lease=job.lease)
    if running.update(position=F("position")):
        batches.put_in_force(batch, lines=job.total, actor=actor)


def _settle(batch: DenylistBatch, rows: Sequence[JobLine]) -> None:
    lines = [_line(row) for row in rows]
    batches.add_signed_parts(lines)
    outcomes = settle([(line.kind, line.value) for line in lines], batch)

    # The result of a line whose entry another operator changed while it was staged.
    differing: dict[Outcome, list[Any]] = {}
    for row, line in zip(rows, lines, strict=True):
        outcome = outcomes.get((line.kind, line.value))
        if outcome is not None and row.result != outcome:
            differing.setdefault(outcome, []).append(row.pk)
    for outcome, keys in differing.items():
        JobLine.objects.filter(pk__in=keys).update(result=outcome)
    DenylistBatch.objects.filter(pk=batch.pk).update(position=rows[-1].number)


def _check_cancel(job: Job) -> None:
    batch = DenylistBatch.objects.filter(pk=job.pk).exclude(in_force_at=None).first()
    if batch is not None:
        raise OperatorError(
            f"The import is in force since {batch.in_force_at:%Y-%m-%d %H:%M:%S} UTC. Take entries "
            "off the denylist one by one."
        )


def _clear_up(job: Job, pace: Pace) -> bool:
    """Take back the next lines of a cancelled import."""
    batch = DenylistBatch.objects.filter(pk=job.pk).first()
    if batch is None:
        return True
    rows = list(job.lines.filter(number__gt=batch.position).order_by("number")[: pace.rows])

    def discard() -> None:
        if rows:
            batches.discard([_line(row) for row in rows], batch)
            DenylistBatch.objects.filter(pk=batch.pk).update(position=rows[-1].number)
        else:
            DenylistBatch.objects.filter(pk=batch.pk, in_force_at=None).delete()

    pace.in_transaction(len(rows), discard)
    return not rows


DENY_IMPORT = JobKind(
    name="deny-import",
    check=_check,
    work_together=_stage,
    chunk=LINES_TOGETHER,
    finish=_finish,
    check_cancel=_check_cancel,
    clear_up=_clear_up,
)
