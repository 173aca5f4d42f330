"""Say that this thread waits for another machine, so that others may compute meanwhile.

A server with few threads that compute (`estserver.local_server.compute`) takes part; anywhere else
nothing happens.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

GiveWay = Callable[[], AbstractContextManager[None]]


class _ThisThread(threading.local):
    give_way: GiveWay = staticmethod(nullcontext)


_this_thread = _ThisThread()


@contextmanager
def give_way_to(give_way: GiveWay) -> Iterator[None]:
    """Have `waiting` enter ``give_way()`` in this thread, while this is open."""
    before, _this_thread.give_way = _this_thread.give_way, give_way
    try:
        yield
    finally:
        _this_thread.give_way = before


@contextmanager
def waiting() -> Iterator[None]:
    """Hold open while this thread waits for another machine. Never within a transaction."""
    with _this_thread.give_way():
        yield
