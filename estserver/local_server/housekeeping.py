"""A thread that runs the scheduled work on one machine, as EventBridge does on Lambda."""

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
    """Run the work of ``estserver.operations.schedule`` while this is open.

    It runs for the first time after a minute. Leaving does not wait for work that has begun,
    because all of it can be interrupted at any point. ``minute`` is the interval in seconds.
    """
    closing = threading.Event()
    thread = threading.Thread(
        target=_run_by_the_clock, args=(closing, minute), name="housekeeping", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        closing.set()


def _run_by_the_clock(closing: threading.Event, minute: float) -> None:
    minutes = 0
    while not closing.wait(minute):
        minutes += 1
        _run(every_minute)
        if minutes % MINUTES_AN_HOUR == 0:
            _run(every_hour)


def _run(scheduled: Callable[[Any, Any], None]) -> None:
    try:
        scheduled(None, None)
    except Exception:  # of any kind: the next minute tries again
        logger.exception("%s failed", scheduled.__name__)
