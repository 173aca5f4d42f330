"""The kinds of jobs. A row has a kind's name and JSON parameters, and never code.

Each app registers its kinds when apps are ready. A kind's module is imported when a job of it is
started or worked on, so that a cold start loads none.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.module_loading import import_string

from pki.models import Job, JobLine
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor

Parameters = dict[str, Any]
LineResult = tuple[JobLine.State, str]

CHUNK = 25
"""Lines between two looks at whether the job was cancelled, unless the kind says otherwise."""


def _is_finished(job: Job, actor: Actor) -> bool:
    return True


def _may_be_cancelled(job: Job) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class JobKind:
    """What a kind of job does. It has ``work`` or ``work_together``.

    ``check`` raises ``OperatorError`` for parameters that no line could be worked on with.

    ``work`` acts on one subject and returns the result in words. It opens short transactions of its
    own, and has to bear being called twice for a subject, because a lease cannot fence a late
    worker. What it raises as ``OperatorError`` fails that line alone.

    ``work_together`` acts on a chunk of ``chunk`` lines in the worker's transaction, which also
    records the results that it returns, one a line. So it happens once. The lines of a chunk must
    take less than 100 ms, because on SQLite devices wait for the transaction.
    """

    name: str
    check: Callable[[Parameters], None]
    work: Callable[[str, Parameters, Actor], str] | None = None
    work_together: Callable[[Job, Sequence[JobLine], Actor], Sequence[LineResult]] | None = None
    chunk: int = CHUNK
    finish: Callable[[Job, Actor], bool] = _is_finished
    """Called after the last line, again and again until it returns True. Each call takes a few
    transactions like those of a chunk. ``OperatorError`` stops the job, which can be continued."""
    check_cancel: Callable[[Job], None] = _may_be_cancelled
    """Raises ``OperatorError`` if the job cannot be cancelled any more; in the transaction."""
    clear_up: Callable[[Job], bool] | None = None
    """Takes back a part of what a cancelled job did, and returns whether nothing is left."""


_paths: dict[str, str] = {
    "deny-import": "pki.jobs.denying.DENY_IMPORT",
    "revoke": "pki.jobs.revoking.REVOKE",
}


def register(name: str, path: str) -> None:
    """Have the ``JobKind`` at the dotted ``path`` work on jobs of the kind ``name``."""
    _paths[name] = path


def unregister(name: str) -> None:
    """Forget the kind ``name``."""
    del _paths[name]


def kind_of(name: str) -> JobKind:
    """Return the kind ``name``. Raises ``OperatorError`` if this version has none."""
    if name not in _paths:
        raise OperatorError(
            f"{name!r} is not a kind of job. Use one of: {', '.join(sorted(_paths))}."
        )
    kind: JobKind = import_string(_paths[name])
    return kind
