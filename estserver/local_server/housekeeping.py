"""What the clock does on Lambda, a thread does on one machine."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from estserver.operations.schedule import every_hour, every_minute

logger = logging.getLogger(__name__)

MINUTE = 60.0  # seconds
MINUTES_AN_HOUR = 60


@contextmanager
def housekeeping(minute: float = MINUTE) -> Iterator[None]:
    """While open, run the chores of ``estserver.schedule``, for the first time after a minute.

    A chore under way isn't waited for: each of them can be cut short at any point. ``minute`` is
    how long one is, in seconds.
    """
    closing = threading.Event()
    thread = threading.Thread(
        target=_keep_house, args=(closing, minute), name="housekeeping", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        closing.set()


def _keep_house(closing: threading.Event, minute: float) -> None:
    minutes = 0
    while not closing.wait(minute):
        minutes += 1
        _run(every_minute)
        if minutes % MINUTES_AN_HOUR == 0:
            _run(every_hour)


def _run(chores: Callable[[Any, Any], None]) -> None:
    try:
        chores(None, None)
    except Exception:  # whatever it was, in a minute it is tried again
        logger.exception("%s failed", chores.__name__)
