"""Compare AWS IoT with the record as a job: a line for each part of a target.

What a part found is written as further lines of the job, which are done as soon as they are there.
With ``repair`` each difference that is this server's to mend is mended on the way.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final

from django.db.models import QuerySet

from iotprov.conf import targets_named
from iotprov.drift.comparison import PARTS
from iotprov.drift.differences import Difference
from iotprov.drift.heartbeat import heard_by
from iotprov.drift.repair import Repair
from pki.jobs.kinds import JobKind, Keep, Parameters
from pki.jobs.lifecycle import start_job
from pki.models import Job, JobLine
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction

TOGETHER = 100
"""Differences that are written in one transaction."""
FIRST_OF_PART: Final = 1_000_000
"""What a part finds is numbered from its own number times this."""


def start_comparison(target: str, *, deep: bool, repair: bool, reason: str, actor: Actor) -> Job:
    """Start the job that compares the target of this name, or all with "".

    Raises ``OperatorError`` for a name that no target has, or for a repair without a reason.
    """
    return start_job(
        "drift",
        [f"{each.name}: {part}" for each in targets_named(target) for part in PARTS],
        parameters={"deep": deep, "repair": repair, "reason": reason},
        actor=actor,
    )


def _check(parameters: Parameters) -> None:
    if parameters["repair"] and not parameters["reason"].strip():
        raise OperatorError(
            "A repair needs a reason (--reason). The reason is kept on the audit trail."
        )


def _compare(job: Job, line: JobLine, actor: Actor, keep: Keep) -> str:
    """Compare the part that the line names, from its beginning."""
    name, _, part = line.subject.partition(": ")
    (target,) = targets_named(name)
    parameters = job.parameters
    repair = None
    if parameters["repair"]:
        repair = Repair(target, actor=actor, reason=parameters["reason"])
    findings = _Findings(job, line)
    findings.forget()
    with heard_by(keep):
        for difference in PARTS[part](target, parameters["deep"]):
            findings.add(difference, _mend(difference, repair))
            keep()
    findings.write()
    if repair is not None:
        repair.hand_over()
    return findings.in_words


def _mend(difference: Difference, repair: Repair | None) -> str:
    """Mend the difference if that is asked for, and return what was done in a sentence."""
    if repair is None:
        return ""
    try:
        return f" {difference.mended_in_words}" if repair.mend(difference) else ""
    except OperatorError as error:
        return f" It was not mended. {error}"


def _delete_some(lines: QuerySet[JobLine]) -> int:
    keys = list(lines.values_list("pk", flat=True)[:TOGETHER])
    JobLine.objects.filter(pk__in=keys).delete()
    return len(keys)


class _Findings:
    """What one part found, written some at a time as lines that are done."""

    def __init__(self, job: Job, line: JobLine) -> None:
        self._job = job
        self._first = line.number * FIRST_OF_PART
        self._unwritten: list[JobLine] = []
        self._count = self._alarming = 0

    def forget(self) -> None:
        """Delete what an earlier attempt at the part had found when it was interrupted."""
        earlier = self._job.lines.filter(
            number__gte=self._first, number__lt=self._first + FIRST_OF_PART
        )
        while in_write_transaction(partial(_delete_some, earlier)):
            pass

    def add(self, difference: Difference, done: str) -> None:
        """Keep a difference, and what was done about it."""
        self._unwritten.append(
            JobLine(
                job=self._job,
                number=self._first + self._count,
                subject=f"{difference.kind} {difference.name}"[:200],
                state=JobLine.State.DONE,
                result=f"{difference}{done}"[:1000],
                details={**difference.as_json(), "kind": difference.kind, "done": done.strip()},
            )
        )
        self._count += 1
        self._alarming += difference.is_alarming and not difference.is_under_way
        if len(self._unwritten) >= TOGETHER:
            self.write()

    def write(self) -> None:
        """Write what was not written yet."""
        rows: Sequence[JobLine] = self._unwritten
        if rows:
            in_write_transaction(lambda: JobLine.objects.bulk_create(rows))
        self._unwritten = []

    @property
    def in_words(self) -> str:
        """How many there are, and how many of them are alarming."""
        if not self._count:
            return "AWS IoT and the record agree."
        noun = "difference" if self._count == 1 else "differences"
        return f"{self._count} {noun}, {self._alarming} alarming. The results name them."


DRIFT = JobKind(name="drift", check=_check, work_at_length=_compare, chunk=1)
