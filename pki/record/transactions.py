"""Write transactions that start over when somebody else was faster.

Nothing here locks. Rules between rows are unique constraints, so a writer that comes second gets
an ``IntegrityError`` (or, on databases with optimistic concurrency, a serialization failure) and
looks again: the second look finds the other's row and answers accordingly.
"""

import logging
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from django.db import (
    Error,
    InterfaceError,
    InternalError,
    OperationalError,
    connection,
    transaction,
)

from pki.exceptions import Busy
from pki.reasons import Reason
from pki.record import audit_trail

logger = logging.getLogger(__name__)

ATTEMPTS = 8
FIRST_PAUSE = 0.01  # seconds; doubled each time, with jitter

PATIENCE = 10
"""Seconds after which nothing is tried again. SQLite alone may wait 20 s for another writer, and
the gateway in front of us gives up after 29 s."""

# SQLSTATE: serialization failure, deadlock, unique violation, Aurora DSQL's optimistic conflicts
_CONFLICT_STATES = frozenset({"40001", "40P01", "23505", "OC000", "OC001"})

_CONFLICT_CODES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_BUSY_RECOVERY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_CONSTRAINT_UNIQUE,
        sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
    }
)

# The database can't work now: unreachable, shutting down, read-only, disk full. What else it may
# say (a value is missing, too long, of the wrong type) is a bug of ours, and raised as it is.
_OUT_OF_ORDER = (OperationalError, InternalError, InterfaceError)

T = TypeVar("T")

_sqlite_writer = threading.RLock()


def in_write_transaction(work: Callable[[], T]) -> T:
    """Run ``work`` in a transaction of its own; returns what it returns.

    ``work`` may run several times, so it must not do anything that a rollback doesn't undo. Raises
    ``Busy`` when the database can't be reached or stays contended, and whatever ``work`` raises.
    After ``Busy`` the outcome may be unknown: a connection can break after the database committed
    and before it said so. Callers must bear being asked again.
    """
    started = time.monotonic()
    for attempt in range(1, ATTEMPTS + 1):
        head = audit_trail.head()
        try:
            with _turn_to_write(), transaction.atomic(durable=True):
                return work()
        except Error as error:
            if not _is_conflict(error):
                # Perhaps committed, perhaps not: our chain goes on in a new one either way.
                audit_trail.start_new_chain()
                if isinstance(error, _OUT_OF_ORDER):
                    raise Busy(Reason.DATABASE_UNAVAILABLE) from error
                raise
            if attempt == ATTEMPTS or time.monotonic() - started > PATIENCE:
                audit_trail.restore(head)
                raise Busy(Reason.DATABASE_UNAVAILABLE) from error
            _go_on_with_trail(head, attempt)
        except BaseException:
            audit_trail.restore(head)
            raise
        logger.info("write transaction met another writer, attempt %d", attempt)
        time.sleep(FIRST_PAUSE * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311  # jitter
    raise AssertionError("unreachable: the last attempt returns or raises")


@contextmanager
def _turn_to_write() -> Iterator[None]:
    """Let this process's threads write to SQLite one after the other.

    SQLite has one writer at a time, and whoever finds it busy sleeps and asks again, up to 100 ms
    a time: with 16 threads the unlucky wait for most of a second. A lock wakes the next at once.
    Other processes still take their turn through SQLite; other databases need none of this.
    """
    if connection.vendor != "sqlite":
        yield
        return
    with _sqlite_writer:
        yield


def _go_on_with_trail(head: audit_trail.Head | None, attempt: int) -> None:
    """Let the audit chain end where it did before the rollback.

    When that was tried and there was a conflict again, it may be in the chain itself: after a fork
    two processes hold one end. A new chain is always right, only not as short.
    """
    if attempt == 1:
        audit_trail.restore(head)
    else:
        audit_trail.start_new_chain()


def _is_conflict(error: Error) -> bool:
    """Whether trying again can help: another writer was in the way, and nothing was committed."""
    cause = error.__cause__
    state = getattr(cause, "sqlstate", None)
    if state is not None:
        return state in _CONFLICT_STATES
    return getattr(cause, "sqlite_errorcode", None) in _CONFLICT_CODES
