"""Write transactions that start over after a conflict with another writer.

Nothing here locks. Rules between rows are unique constraints, so the second of two writers gets an
``IntegrityError`` (or, on databases with optimistic concurrency, a serialization failure). Its
transaction runs again, and this time finds the first writer's row.
"""

import logging
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from functools import partial
from typing import Any, TypeVar

from django.db import (
    Error,
    InterfaceError,
    InternalError,
    OperationalError,
    transaction,
)

from pki.exceptions import Busy
from pki.models import round_trips
from pki.models.this_connection import this_connection
from pki.operators.errors import OperatorError
from pki.reasons import Reason
from pki.record import audit_trail

logger = logging.getLogger(__name__)

ATTEMPTS = 8
FIRST_PAUSE = 0.01  # seconds; doubled each time, with jitter

RETRY_SECONDS = 10
"""Seconds after which a transaction does not start over any more. SQLite itself may wait 20 s for
another writer, and API Gateway gives up after 29 s by default."""

# SQLSTATE: serialization failure, deadlock, unique violation, Aurora DSQL's optimistic conflicts
_CONFLICT_STATES = frozenset({"40001", "40P01", "23505", "OC000", "OC001"})

# Aurora DSQL's, for a transaction of more than 3,000 rows, 10 MiB or five minutes:
# https://docs.aws.amazon.com/aurora-dsql/latest/userguide/CHAP_quotas.html
_TOO_MUCH_STATE = "54000"

CHUNK = 500
"""Rows that one of several transactions begins with. Each may write to six, and hold 20 KiB."""

_CONFLICT_CODES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_BUSY_RECOVERY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_CONSTRAINT_UNIQUE,
        sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
    }
)

# The database cannot work now: unreachable, shutting down, read-only, disk full. Any other error
# (a value is missing, too long, of the wrong type) is a bug, and is raised as it is.
_OUT_OF_ORDER = (OperationalError, InternalError, InterfaceError)

T = TypeVar("T")
Item = TypeVar("Item")

_sqlite_writer = threading.RLock()

_is_rehearsed: ContextVar[bool] = ContextVar("is_rehearsed", default=False)

_last_write = float("-inf")


def last_write() -> float:
    """Return when this process last committed an audit row, by the clock of ``time.monotonic``.

    Transactions without an audit row do not count, because some find nothing to write.
    """
    return _last_write


def forget() -> None:
    """Drop what is known of earlier writes, as when the database was replaced."""
    global _last_write
    _last_write = float("-inf")


def in_write_transaction(work: Callable[[], T]) -> T:
    """Run ``work`` in a transaction of its own, and return what it returns.

    ``work`` may run several times, so it must not do anything that a rollback does not undo. Raises
    ``Busy`` when the database cannot be reached or the conflicts go on, and whatever ``work``
    raises. After ``Busy`` the outcome may be unknown, because a connection can break after the
    commit and before the reply to it. So callers must allow for the same request again. Raises
    ``OperatorError`` when ``work`` writes more than the database takes at once.
    """
    if _is_rehearsed.get():
        return _within_rehearsal(work)
    started = time.monotonic()
    for attempt in range(1, ATTEMPTS + 1):
        head = audit_trail.head()
        try:
            # Whatever waits to be sent is sent and committed inside of the transaction's block.
            with (
                _one_writer(),
                transaction.atomic(durable=True),
                round_trips.putting_off(this_connection()),
            ):
                done = work()
        except Error as error:
            if is_too_much(error):
                audit_trail.restore(head)
                raise OperatorError(
                    f"The change is more than the database takes in one transaction: {error}. "
                    "Aurora DSQL takes 3,000 rows, 10 MiB and five minutes. Nothing of it was "
                    "written. Make the change in smaller parts."
                ) from error
            if not (is_conflict(error) or round_trips.was_refused(error)):
                # Perhaps committed, perhaps not: a new audit chain is right either way.
                audit_trail.start_new_chain()
                if isinstance(error, _OUT_OF_ORDER):
                    raise Busy(Reason.DATABASE_UNAVAILABLE) from error
                raise
            if attempt == ATTEMPTS or time.monotonic() - started > RETRY_SECONDS:
                audit_trail.restore(head)
                raise Busy(Reason.DATABASE_UNAVAILABLE) from error
            _reset_audit_chain(head, attempt)
        except BaseException:
            audit_trail.restore(head)
            raise
        else:
            if audit_trail.head() is not head:
                _note_write()
            return done
        logger.info("write transaction met another writer, attempt %d", attempt)
        time.sleep(FIRST_PAUSE * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311  # jitter
    raise AssertionError("unreachable: the last attempt returns or raises")


def in_no_transaction(look: Callable[[], T]) -> T:
    """Run ``look``, which only reads, outside of any transaction, and return what it returns.

    So SQLite's writers do not wait for it. It sees what was committed before it began. Raises
    ``Busy`` as ``in_write_transaction`` does.
    """
    if _is_rehearsed.get():
        return _within_rehearsal(look)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return look()
        except Error as error:
            if not is_conflict(error):
                if isinstance(error, _OUT_OF_ORDER):
                    raise Busy(Reason.DATABASE_UNAVAILABLE) from error
                raise
            if attempt == ATTEMPTS:
                raise Busy(Reason.DATABASE_UNAVAILABLE) from error
        time.sleep(FIRST_PAUSE * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311  # jitter
    raise AssertionError("unreachable: the last attempt returns or raises")


@contextmanager
def rehearsal() -> Iterator[None]:
    """Let the write transactions of the block see each other, and take all of them back at its end.

    They are parts of one transaction, which is rolled back. Whatever waits for a commit is not
    done: ``transaction.on_commit`` is forgotten with it. What a rollback does not undo, such as a
    signature or a call to AWS, must not be rehearsed. Use `pki.record.rehearse` in place of this,
    which also drops what the process keeps in memory.
    """
    head = audit_trail.head()
    with _one_writer(), transaction.atomic():
        token = _is_rehearsed.set(True)
        try:
            yield
        finally:
            _is_rehearsed.reset(token)
            audit_trail.restore(head)
            transaction.set_rollback(True)


def _within_rehearsal(work: Callable[[], T]) -> T:
    """Run ``work`` as a part of the rehearsal's transaction. Raises as `in_write_transaction`."""
    try:
        with transaction.atomic(savepoint=False), round_trips.putting_off(this_connection()):
            return work()
    except Error as error:
        if is_conflict(error) or isinstance(error, _OUT_OF_ORDER):
            raise Busy(Reason.DATABASE_UNAVAILABLE) from error
        raise


def in_write_transactions(items: Sequence[Item], work: Callable[[Sequence[Item]], T]) -> list[T]:
    """Run ``work`` on ``CHUNK`` of the items at a time, and return what each call returned.

    Each call has a transaction of its own, as ``in_write_transaction`` says. So a change of many
    rows stays below what a database takes at once. What was committed stays when a later call
    raises, so each call's change must be right by itself, and the whole one that can be repeated.
    """
    chunks = [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)]
    return [in_write_transaction(partial(work, chunk)) for chunk in chunks]


def _note_write() -> None:
    global _last_write
    _last_write = time.monotonic()


def _one_writer() -> AbstractContextManager[Any]:
    """Let this process's threads write to SQLite one after the other.

    SQLite has one writer at a time. A writer that finds it busy sleeps up to 100 ms and tries
    again, so with many threads some wait for most of a second. A lock wakes the next one at once.
    Writers in other processes still wait in SQLite. Other databases need none of this.
    """
    return _sqlite_writer if this_connection().vendor == "sqlite" else nullcontext()


def _reset_audit_chain(head: audit_trail.Head | None, attempt: int) -> None:
    """Set the audit chain's end back to where it was before the rollback.

    A conflict after that may be in the chain itself, because after a fork two processes have the
    same end. Then a new chain is opened, which is always right.
    """
    if attempt == 1:
        audit_trail.restore(head)
    else:
        audit_trail.start_new_chain()


def is_conflict(error: Error) -> bool:
    """Return whether another writer was in the way and nothing was committed."""
    state = _sqlstate(error)
    if state is not None:
        return state in _CONFLICT_STATES
    return getattr(error.__cause__, "sqlite_errorcode", None) in _CONFLICT_CODES


def is_too_much(error: Error) -> bool:
    """Return whether the change was more than a transaction takes, and nothing was committed."""
    return _sqlstate(error) == _TOO_MUCH_STATE


def _sqlstate(error: Error) -> str | None:
    """Return the SQLSTATE that the database gave, if it has any."""
    state: str | None = getattr(error.__cause__, "sqlstate", None)
    return state
