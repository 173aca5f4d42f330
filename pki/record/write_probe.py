"""Can the database be written? It may answer, and yet be read-only, or have a full disk."""

import threading
import time
from dataclasses import dataclass

from django.db import Error

from pki.exceptions import PKIError
from pki.models import Generation
from pki.record import transactions
from pki.record.transactions import in_write_transaction

PROBE_SECONDS = 2.0
"""How long the outcome of a write is used, be it a probe's or a request's. A balancer asks about as
often."""


@dataclass(slots=True)
class _Outcome:
    """The last probe of this process."""

    at: float
    """By the clock of ``time.monotonic``."""
    problem: str


_lock = threading.Lock()
_last: _Outcome | None = None


def forget() -> None:
    """Have the next call write."""
    global _last
    _last = None


def write_problem() -> str:
    """Return why the database cannot be written, or "" if it can.

    One fixed row is changed and committed, at most every ``PROBE_SECONDS`` in a process, and only
    if nothing else was written since. While one thread waits for its write, the others get the
    outcome of the one before.
    """
    known = _known()
    if known is not None:
        return known
    before = _last
    if not _lock.acquire(blocking=before is None):
        return before.problem if before is not None else ""
    try:
        known = _known()  # of the thread that had the lock
        return _probe() if known is None else known
    finally:
        _lock.release()


def _known() -> str | None:
    """Return the outcome that is recent enough, or None."""
    since = time.monotonic() - PROBE_SECONDS
    written_at = transactions.last_write()
    if _last is not None and _last.at > since and _last.at >= written_at:
        return _last.problem
    return "" if written_at > since else None


def _probe() -> str:
    global _last
    try:
        in_write_transaction(Generation.touch)
    except (PKIError, Error) as error:
        problem = f"{error} ({error.__cause__})" if error.__cause__ else str(error)
    else:
        problem = ""
    _last = _Outcome(time.monotonic(), problem)
    return problem
