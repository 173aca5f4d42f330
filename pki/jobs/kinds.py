"""The kinds of jobs. A row has a kind's name and JSON parameters, and never code."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.module_loading import import_string

from pki.jobs import registry
from pki.jobs.pace import Pace
from pki.models import Job, JobLine
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor

Parameters = dict[str, Any]
LineResult = tuple[JobLine.State, str]

CHUNK = 25
"""Lines between two looks at whether the job was cancelled, unless the kind says otherwise."""


Keep = Callable[[], None]
"""Lengthens the lease in the middle of a long line. Raises ``Interrupted``."""


class Interrupted(Exception):
    """The job was cancelled, or another worker has it: the line is to be left as it is."""


def _is_finished(job: Job, actor: Actor, pace: Pace) -> bool:
    return True


def _may_be_cancelled(job: Job) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class JobKind:
    """What a kind of job does. It has one of ``work``, ``work_at_length`` and ``work_together``.

    ``check`` raises ``OperatorError`` for parameters that no line could be worked on with.

    ``work`` acts on one subject and returns the result in words. It opens short transactions of its
    own, and has to bear being called twice for a subject, because a lease cannot fence a late
    worker. What it raises as ``OperatorError`` fails that line alone.

    ``work_at_length`` is for lines that may take minutes. It gets the job and the line, and calls
    what it gets last every few seconds, which keeps the lease and notices a cancellation.

    ``work_together`` acts on a chunk of lines in the worker's transaction, which also records the
    results that it returns, one a line. So it happens once. A chunk has ``chunk`` lines at most,
    and fewer where they take long, because on SQLite devices wait for it (`pki.jobs.pace`).
    """

    name: str
    check: Callable[[Parameters], None]
    work: Callable[[str, Parameters, Actor], str] | None = None
    work_at_length: Callable[[Job, JobLine, Actor, Keep], str] | None = None
    work_together: Callable[[Job, Sequence[JobLine], Actor], Sequence[LineResult]] | None = None
    chunk: int = CHUNK
    finish: Callable[[Job, Actor, Pace], bool] = _is_finished
    """Called after the last line, again and again until it returns True. Each call makes a few
    transactions, at the job's pace. ``OperatorError`` stops the job, which can be continued."""
    check_cancel: Callable[[Job], None] = _may_be_cancelled
    """Raises ``OperatorError`` if the job cannot be cancelled any more; in the transaction."""
    clear_up: Callable[[Job, Pace], bool] | None = None
    """Takes back a part of what a cancelled job did, and returns whether nothing is left."""


def kind_of(name: str) -> JobKind:
    """Return the kind ``name``. Raises ``OperatorError`` if this version has none."""
    if name not in registry.paths:
        raise OperatorError(
            f"{name!r} is not a kind of job. Use one of: {', '.join(sorted(registry.paths))}."
        )
    kind: JobKind = import_string(registry.paths[name])
    return kind
