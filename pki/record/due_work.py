"""Tell who works by the clock that work waits, after the transaction that wrote it committed.

Whoever writes a row for later work (an outbox row, a hook that is still to run) calls ``announce``
in the same transaction. `pki` knows no schedule, so the server registers a listener where its
schedule may be paused. Without one, nothing happens here.
"""

import datetime
from collections.abc import Callable
from functools import partial

from django.db import transaction

Listener = Callable[[datetime.datetime], None]

_listeners: list[Listener] = []


def register(listener: Listener) -> None:
    """Have ``listener`` called after each commit that wrote work, with the time when it is due.

    It is called while a device may wait for its answer, so it must be short. What it raises is
    logged by Django and reaches nobody else.
    """
    _listeners.append(listener)


def unregister(listener: Listener) -> None:
    """Call ``listener`` no more."""
    _listeners.remove(listener)


def announce(due_at: datetime.datetime) -> None:
    """Tell the listeners, once the caller's transaction has committed, that work is due then.

    After a rollback they are not told. Without a transaction they are told at once.
    """
    for listener in _listeners:
        transaction.on_commit(partial(listener, due_at), robust=True)
