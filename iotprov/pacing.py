"""How fast AWS IoT may be called, and when to stop calling it.

The control plane's quotas count calls a second, for each operation, account and region:
https://docs.aws.amazon.com/general/latest/gr/iot-core.html#limits_iot
"""

import random
import time
from collections.abc import Callable

DEFAULT_RATE = 10.0
RATES = {
    "AddThingToThingGroup": 60.0,
    "AttachPolicy": 15.0,
    "AttachThingPrincipal": 50.0,
    "CreateThing": 50.0,
    "DescribeThing": 50.0,
    "DetachPolicy": 15.0,
    "DetachThingPrincipal": 50.0,
}
"""Calls a second by default; of two figures the smaller regions'. Not all is ours to use up."""

SHARE = 0.8
"""Of a quota: the rest is for enrollments under way, and for JITP, which has the same quotas."""

_FIRST_PAUSE = 1.0  # seconds, doubled at each throttle, up to
_LONGEST_PAUSE = 30.0
_SLOWEST = 0.05  # of the full rate
_RECOVERY = 1.05  # times the rate, for each row that went well


class Pace:
    """The calls to one target by one worker; not shared between threads.

    A throttle pauses every operation and halves the rates: other processes use the same quota, so
    the rates above are only where to begin.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._free_at: dict[str, float] = {}
        self._paused_until = 0.0
        self._pause = _FIRST_PAUSE
        self._factor = 1.0

    def delay(self, operation: str) -> float:
        """Seconds to wait before the next call of ``operation``, which is thereby taken."""
        now = self._clock()
        starts = max(now, self._paused_until, self._free_at.get(operation, now))
        rate = RATES.get(operation, DEFAULT_RATE) * SHARE * self._factor
        self._free_at[operation] = starts + 1 / rate
        return starts - now

    def paused_for(self) -> float:
        """Seconds until anything may be called again; 0 when it may now."""
        return max(self._paused_until - self._clock(), 0.0)

    def slow_down(self) -> None:
        """AWS said that it was too much."""
        jitter = random.uniform(0.5, 1.0)  # noqa: S311  # workers throttled together part again
        self._paused_until = self._clock() + self._pause * jitter
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        self._factor = max(self._factor / 2, _SLOWEST)

    def go_on(self) -> None:
        """A row went well."""
        self._pause = _FIRST_PAUSE
        self._factor = min(self._factor * _RECOVERY, 1.0)


class Breaker:
    """Which targets didn't answer a moment ago, so that not every request waits for a dead one.

    Belongs to the process. Threads share it: the worst of a race is one more try.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._open_until: dict[str, float] = {}

    def is_open(self, target: str) -> bool:
        """Whether to leave ``target`` alone for now."""
        return self._clock() < self._open_until.get(target, float("-inf"))

    def trip(self, target: str) -> None:
        """``target`` failed."""
        self._open_until[target] = self._clock() + self._seconds

    def reset(self) -> None:
        """Forget what failed."""
        self._open_until.clear()
