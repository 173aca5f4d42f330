"""Threads that compute: few at a time, while many may wait for another machine.

Threads of Python that compute slow each other down, and SQLite has one writer. So a thread needs a
turn to compute, and there are few turns. A thread that waits for a signer over the network gives
its turn back until the answer comes (`pki.waiting`), and another request goes on.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pki.waiting import give_way_to

logger = logging.getLogger(__name__)

Job = Callable[[], None]


class Full(Exception):
    """As many requests wait as may wait."""


class Compute:
    """Runs jobs in threads, which are started when they are first needed."""

    def __init__(self, *, turns: int, threads: int, waiting: int) -> None:
        """Take how many compute at a time, how many threads there may be, and how many may wait."""
        self._turns, self._most_threads, self._most_waiting = turns, threads, waiting
        lock = threading.Lock()
        self._work, self._turn = threading.Condition(lock), threading.Condition(lock)
        self._jobs: deque[Job] = deque()
        self._computing = 0
        self._returning = 0  # threads that want their turn back; they come before new jobs
        self._idle = 0  # threads that wait for a job, and were not told of one
        self._threads = 0
        self._is_closed = False

    def submit(self, job: Job) -> None:
        """Have a thread run ``job``. Raises ``Full``."""
        with self._work:
            if len(self._jobs) >= self._most_waiting:
                raise Full
            self._jobs.append(job)
            self._tell_a_thread()

    def close(self) -> None:
        """Let the threads end when no job is left."""
        with self._work:
            self._is_closed, self._idle = True, 0
            self._work.notify_all()

    def _has_turn(self) -> bool:
        return self._computing + self._returning < self._turns

    def _tell_a_thread(self) -> None:
        # A job that finds no turn is taken by the thread that gives one back.
        if not self._has_turn():
            return
        if self._idle:
            self._idle -= 1
            self._work.notify()
        elif self._threads < self._most_threads:
            self._threads += 1
            threading.Thread(target=self._run, name="compute", daemon=True).start()

    def _run(self) -> None:
        with give_way_to(self._away):
            while job := self._next():
                try:
                    job()
                except Exception:  # a bug; the thread goes on
                    logger.exception("a request was not answered")
                with self._work:
                    self._give_back()

    def _next(self) -> Job | None:
        with self._work:
            while not (self._jobs and self._has_turn()):
                if self._is_closed and not self._jobs:
                    return None
                self._idle += 1
                self._work.wait()
            self._computing += 1
            return self._jobs.popleft()

    def _give_back(self) -> None:
        self._computing -= 1
        if self._returning:
            self._turn.notify()
        elif self._jobs:
            self._tell_a_thread()

    @contextmanager
    def _away(self) -> Iterator[None]:
        """Give the turn of this thread to another while it waits, and take one again after."""
        with self._work:
            self._give_back()
        try:
            yield
        finally:
            with self._turn:
                self._returning += 1
                while self._computing >= self._turns:
                    self._turn.wait()
                self._returning -= 1
                self._computing += 1
