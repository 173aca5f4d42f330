"""The kinds of jobs. A row has a kind's name and JSON parameters, and never code.

Each app registers its kinds when apps are ready. A kind's module is imported when a job of it is
started or worked on, so that a cold start loads none.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils.module_loading import import_string

from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor

Parameters = dict[str, Any]


@dataclass(frozen=True, slots=True)
class JobKind:
    """What a kind of job does.

    ``check`` raises ``OperatorError`` for parameters that no line could be worked on with. ``work``
    acts on one subject and returns the result in words. It opens short transactions of its own, and
    has to bear being called twice for a subject, because a lease cannot fence a late worker. What
    it raises as ``OperatorError`` fails that line alone.
    """

    name: str
    check: Callable[[Parameters], None]
    work: Callable[[str, Parameters, Actor], str]


_paths: dict[str, str] = {"revoke": "pki.jobs.revoking.REVOKE"}


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
