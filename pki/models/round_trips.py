"""Statements of the hot path that go to PostgreSQL together, in one round trip.

A statement whose result nobody needs waits, and goes with the next one whose result is needed:
BEGIN with the first look, the rows of an intent with COMMIT. PostgreSQL runs them in their order,
each as it would by itself, and skips the rest after an error:
https://www.postgresql.org/docs/current/libpq-pipeline-mode.html

Aurora DSQL speaks "the standard PostgreSQL v3 wire protocol", of which this is a part:
https://docs.aws.amazon.com/aurora-dsql/latest/userguide/working-with.html
No page of AWS's says that a cluster takes several statements before a Sync, and only an account can
show it. A database that refuses them gets them one by one from then on.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper

logger = logging.getLogger(__name__)

Statement = tuple[str, Sequence[Any]]

MOST_WAITING = 100
"""Statements that may wait. Then they go, because a large transaction may have many."""

_DIVISION_BY_ZERO = "22012"
_REFUSALS = frozenset({"0A000", "08P01", "42601"})
"""SQLSTATE: feature not supported, protocol violation, syntax error (of an UPDATE in WITH)."""

_SERIALIZATION_FAILURE = "40001"  # the SQLSTATE of Aurora DSQL's OC000 and OC001 too

_SENT_TOGETHER = "was_sent_together"
"""Marks an error after which statements go one by one. The same error after that is a fault."""

_IDLE = 0
"""libpq's PQTRANS_IDLE: no transaction is open."""


class NothingChanged(Exception):
    """An UPDATE that has to change a row changed none, and its transaction has failed."""


class _Thread(threading.local):
    waiting: list[Statement] | None = None
    """None outside of a transaction that puts statements off."""


_thread = _Thread()
_is_refused = False


def takes_several(connection: BaseDatabaseWrapper) -> bool:
    """Return whether ``connection`` takes several statements at once."""
    return connection.vendor == "postgresql" and not _is_refused


def is_watched(connection: BaseDatabaseWrapper) -> bool:
    """Return whether something wants to see each statement: a log, or a wrapper of ``execute``."""
    wrappers = connection.execute_wrappers
    if wrappers and any(wrapper is not _send_first for wrapper in wrappers):
        return True
    return connection.queries_logged


def putting_off(connection: BaseDatabaseWrapper) -> AbstractContextManager[None]:
    """Put statements off in the block, which is in a transaction, and commit with the last ones.

    What goes through Django's cursors is sent after what waits. So it sees that, as always.
    """
    is_inner = _thread.waiting is not None  # in tests alone: a transaction in that of the test
    if is_inner or not takes_several(connection) or is_watched(connection):
        return nullcontext()
    return _putting_off(connection)


@contextmanager
def _putting_off(connection: BaseDatabaseWrapper) -> Iterator[None]:
    _thread.waiting = []
    try:
        with connection.execute_wrapper(_send_first):
            yield
            if _thread.waiting:
                send(connection, [], is_last=len(connection.atomic_blocks) == 1)
    finally:
        _thread.waiting = None


def put_off(connection: BaseDatabaseWrapper, statement: Statement) -> bool:
    """Let ``statement`` wait, and return whether it does. Otherwise the caller has to run it."""
    if _thread.waiting is None or is_watched(connection):
        return False
    _thread.waiting.append(statement)
    if len(_thread.waiting) >= MOST_WAITING:
        send(connection, [])
    return True


def is_putting_off(connection: BaseDatabaseWrapper) -> bool:
    """Return whether ``put_off`` would let a statement wait."""
    return _thread.waiting is not None and not is_watched(connection)


def must_change(statement: str) -> str:
    """Return an UPDATE as a statement that fails where it changes no row.

    An UPDATE inside of WITH runs to its end, whatever the SELECT reads, and with the snapshot of
    the whole statement, which is the one that it would have by itself:
    https://www.postgresql.org/docs/current/queries-with.html#QUERIES-WITH-MODIFYING
    """
    return f"WITH changed AS ({statement} RETURNING 1) SELECT 1 / count(*) FROM changed"  # noqa: S608


def send(
    connection: BaseDatabaseWrapper, statements: Sequence[Statement], *, is_last: bool = False
) -> list[Any]:
    """Send what waits and then ``statements``, and return the cursors of these.

    With ``is_last`` COMMIT goes with them. Raises Django's errors, or ``NothingChanged``.
    """
    waiting = _thread.waiting or []
    batch = [*waiting, *statements]
    waiting.clear()
    driver = connection.connection
    begins = connection.in_atomic_block and driver.info.transaction_status == _IDLE
    try:
        with connection.wrap_database_errors:
            if takes_several(connection) and len(batch) + begins + is_last > 1:
                cursors = _send_together(connection, batch, begins=begins, is_last=is_last)
            else:
                cursors = [driver.execute(*statement) for statement in batch]
    except Error as error:
        if _sqlstate(error) == _DIVISION_BY_ZERO:
            raise NothingChanged from error
        raise
    return cursors[len(batch) - len(statements) :]


def _send_together(
    connection: Any,  # Django's stubs do not know the driver's module
    batch: Sequence[Statement],
    *,
    begins: bool,
    is_last: bool,
) -> list[Any]:
    driver = connection.connection
    if begins:
        # The driver's own BEGIN would be waited for. COMMIT and ROLLBACK are sent by what the
        # server says of the transaction, and Django sets this again after them.
        driver.autocommit = True
    cursors: list[Any] = []
    failure: Exception | None = None
    try:
        with driver.pipeline():
            try:
                if begins:
                    driver.execute(_begin(driver))
                cursors += [driver.execute(*statement) for statement in batch]
                if is_last:
                    driver.execute("COMMIT")
            except connection.Database.Error as error:  # the first one, which the others follow
                failure = error
    except connection.Database.Error as error:
        failure = failure or error
    if failure is not None:
        _note_refusal(failure)
        raise failure
    return cursors


def _begin(driver: Any) -> str:
    level = driver.isolation_level
    return "BEGIN" if level is None else f"BEGIN ISOLATION LEVEL {level.name.replace('_', ' ')}"


def _note_refusal(error: Exception) -> None:
    global _is_refused
    if getattr(error, "sqlstate", None) in _REFUSALS:
        _is_refused = True
        error.__dict__[_SENT_TOGETHER] = True
        logger.warning("the database refused several statements at once, now they go one by one")


def may_be_repeated(error: Error) -> bool:
    """Return whether what only reads, outside of a transaction, may be sent once more.

    Aurora DSQL refuses a session's first statement after a change of the schema with OC001, also a
    SELECT, and takes the next one:
    https://docs.aws.amazon.com/aurora-dsql/latest/userguide/working-with-concurrency-control.html
    """
    return was_refused(error) or _sqlstate(error) == _SERIALIZATION_FAILURE


def was_refused(error: Error) -> bool:
    """Return whether the database takes no statements together, so that nothing was done."""
    return _SENT_TOGETHER in getattr(error.__cause__, "__dict__", {})


def forget() -> None:
    """Drop what is known of the database, as when it was replaced."""
    global _is_refused
    _is_refused = False


def _sqlstate(error: BaseException) -> str | None:
    state: str | None = getattr(error.__cause__, "sqlstate", None)
    return state


def _send_first(
    execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
) -> Any:
    """Run a statement of Django's after what waits."""
    if _thread.waiting:
        send(context["connection"], [])
    return execute(sql, params, many, context)
