"""How many rows a transaction of bulk work writes, so that no device waits long for one.

SQLite has one writer. It does not queue those who wait for another process: they sleep for up to
100 ms, and try again (https://www.sqlite.org/c3ref/busy_timeout.html). So each transaction is kept
short by the CPU time that it takes, on any machine, and a rest follows in which others write. What
else a transaction takes, such as the wait for the disk, fewer rows do not shorten.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, TypeVar

from django.db import connection

from pki.record.transactions import in_write_transaction

T = TypeVar("T")
Row = TypeVar("Row")

SHORT: Final = 0.04
"""Seconds of this thread's CPU time that a transaction should take. A request waits for two."""
LEAST: Final = 25
"""Rows of a transaction on a machine that is too slow for more. Fewer take hardly less."""
FIRST: Final = 50
"""Rows of the first transaction, before anything is known."""
LONGEST_REST: Final = 0.05
"""Seconds between two transactions on SQLite, at most."""


class Pace:
    """The size of the next transaction, by how long those before it lasted."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.rows = min(FIRST, most)
        """How many rows the next transaction should write, at most ``most``."""

    def in_transaction(self, rows: int, work: Callable[[], T]) -> T:
        """Run ``work``, which writes ``rows`` rows, in a write transaction, and rest after it.

        Raises what ``in_write_transaction`` raises.
        """
        began, cpu = time.perf_counter(), cpu_time()

        def timed() -> T:
            nonlocal began, cpu
            began, cpu = time.perf_counter(), cpu_time()  # without the wait for another writer
            return work()

        done = in_write_transaction(timed)
        self._note(rows, cpu_time() - cpu)
        rest(time.perf_counter() - began)
        return done

    def in_transactions(self, rows: Sequence[Row], work: Callable[[Sequence[Row]], object]) -> None:
        """Run ``work`` on all of the rows, in as many transactions as it takes."""
        start = 0
        while start < len(rows):
            some = rows[start : start + self.rows]
            start += len(some)
            self.in_transaction(len(some), partial(work, some))

    def _note(self, rows: int, took: float) -> None:
        if took > SHORT:
            self.rows = max(min(LEAST, self._most), int(rows * SHORT / took))
        elif took < SHORT / 2 and rows >= self.rows:
            self.rows = min(self._most, self.rows * 2)


cpu_time = time.thread_time


def rest(took: float) -> None:
    """Let devices write after a transaction that lasted ``took`` seconds, for as long again."""
    if connection.vendor == "sqlite":
        time.sleep(min(took, LONGEST_REST))
