"""Write transactions that start over when somebody else was faster.

Nothing here locks. Rules between rows are unique constraints, so a writer that comes second gets
an ``IntegrityError`` (or, on databases with optimistic concurrency, a serialization failure) and
looks again: the second look finds the other's row and answers accordingly.
"""

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import (
    DatabaseError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    transaction,
)

from pki import audit
from pki.exceptions import Busy
from pki.reasons import Reason

logger = logging.getLogger(__name__)

ATTEMPTS = 6
FIRST_PAUSE = 0.01  # seconds; doubled each time, with jitter

# SQLSTATE: serialization failure, deadlock, and Aurora DSQL's optimistic conflicts
_RETRIABLE_STATES = frozenset({"40001", "40P01", "OC000", "OC001"})

T = TypeVar("T")


def in_write_transaction(work: Callable[[], T]) -> T:
    """Run ``work`` in a transaction of its own; returns what it returns.

    ``work`` may run several times, so it must not do anything that a rollback doesn't undo. Raises
    ``Busy`` when the database can't be reached or stays contended, and whatever ``work`` raises.
    """
    for attempt in range(1, ATTEMPTS + 1):
        head = audit.head()
        try:
            with transaction.atomic(durable=True):
                return work()
        except IntegrityError:
            # The rollback left our audit chain behind what is in memory, or the clash was in the
            # chain itself: go on in a new one.
            audit.start_new_chain()
            if attempt == ATTEMPTS:
                raise
        except OperationalError as error:
            audit.restore(head)
            if attempt == ATTEMPTS or not _is_conflict(error):
                raise Busy(Reason.DATABASE_UNAVAILABLE) from error
        except (DatabaseError, InterfaceError) as error:  # the latter: the connection is gone
            audit.restore(head)
            raise Busy(Reason.DATABASE_UNAVAILABLE) from error
        except BaseException:
            audit.restore(head)
            raise
        logger.info("write transaction met another writer, attempt %d", attempt)
        time.sleep(FIRST_PAUSE * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311  # jitter
    raise AssertionError("unreachable: the last attempt returns or raises")


def _is_conflict(error: OperationalError) -> bool:
    """Whether trying again can help: another writer was in the way."""
    cause = error.__cause__
    state = getattr(cause, "sqlstate", None)
    if state is not None:
        return state in _RETRIABLE_STATES
    return "locked" in str(error)  # SQLite names no state
