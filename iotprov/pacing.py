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

BURST = 1.0
"""Seconds of a quota that may be used up at once, as AWS lets anybody who has been quiet."""

_FIRST_PAUSE = 1.0  # seconds, doubled at each throttle, up to
_LONGEST_PAUSE = 30.0
_SLOWEST = 0.05  # of the full rate
_RECOVERY = 1.05  # times the rate, for each row that went well


class Pace:
    """The calls to one target by one worker: a token bucket for each operation.

    A throttle pauses all of them, empties the buckets and halves the rates: other processes use
    the same quotas, so the rates above are only where to begin. Not shared between threads.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._full_at: dict[str, float] = {}
        """When each bucket would be full again, for operations that were called."""
        self._paused_until = float("-inf")
        self._pause = _FIRST_PAUSE
        self._factor = 1.0

    def delay(self, operation: str) -> float:
        """Seconds to wait before the next call of ``operation``, whose token is thereby taken."""
        now = self._clock()
        start = max(now, self._paused_until)
        full_at = max(start, self._full_at.get(operation, start), self._paused_until + BURST)
        rate = RATES.get(operation, DEFAULT_RATE) * SHARE * self._factor
        self._full_at[operation] = full_at + 1 / rate
        return max(start, full_at - BURST) - now

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
