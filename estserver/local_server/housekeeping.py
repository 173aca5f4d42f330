"""A thread that runs the scheduled work on a server of one's own, as EventBridge does on Lambda."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings

from estserver.local_server.server_certificate import renew_if_made_here
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
            _run(renew_server_certificate)


def renew_server_certificate(event: Any, context: Any) -> None:
    """Renew the server's own certificate before it expires, unless an operator brought it."""
    if renew_if_made_here(settings.EST_DATA_DIR):
        logger.info("the server's certificate was renewed")


def _run(scheduled: Callable[[Any, Any], None]) -> None:
    try:
        scheduled(None, None)
    except Exception:  # of any kind: the next minute tries again
        logger.exception("%s failed", scheduled.__name__)
