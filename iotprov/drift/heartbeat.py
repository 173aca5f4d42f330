"""A sign of life of a comparison, which may take minutes without finding a difference.

A job keeps its lease by it, and stops where it was cancelled. Elsewhere nothing listens.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[], None]


def _nobody() -> None:
    pass


_listener: ContextVar[Listener] = ContextVar("listener", default=_nobody)


def beat() -> None:
    """Call the listener, before each call to AWS and each chunk of the record. It may raise."""
    _listener.get()()


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """Have ``listener`` called at each beat in the block."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
