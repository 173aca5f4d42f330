"""How fast AWS IoT may be called, and when to stop calling a target.

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
"""AWS's default quotas in calls a second; of two figures, the one of the smaller regions."""

SHARE = 0.8
"""The part of a quota that is used. The rest is for requests and JITP, which share the quotas."""

BURST = 1.0
"""Seconds of a quota that may be used at once after a pause, as AWS allows."""

_FIRST_PAUSE = 1.0  # seconds, doubled at each throttle, up to
_LONGEST_PAUSE = 30.0
_SLOWEST = 0.05  # of the full rate
_RECOVERY = 1.05  # times the rate, for each row that went well


class Pace:
    """The calls to one target by one worker: a token bucket for each operation.

    A throttle pauses all of them, empties the buckets and halves the rates. Other processes use
    the same quotas, so the rates above are only a start. Not shared between threads.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._full_at: dict[str, float] = {}
        """When the bucket of each operation that was called is full again."""
        self._paused_until = float("-inf")
        self._pause = _FIRST_PAUSE
        self._factor = 1.0

    def delay(self, operation: str) -> float:
        """Take a token of ``operation``; returns the seconds to wait before its call."""
        now = self._clock()
        start = max(now, self._paused_until)
        full_at = max(start, self._full_at.get(operation, start), self._paused_until + BURST)
        rate = RATES.get(operation, DEFAULT_RATE) * SHARE * self._factor
        self._full_at[operation] = full_at + 1 / rate
        return max(start, full_at - BURST) - now

    def paused_for(self) -> float:
        """Return the seconds until a call may be made again; 0 if it may be made now."""
        return max(self._paused_until - self._clock(), 0.0)

    def slow_down(self) -> None:
        """Slow down after AWS throttled a call."""
        jitter = random.uniform(0.5, 1.0)  # noqa: S311  # workers throttled together part again
        self._paused_until = self._clock() + self._pause * jitter
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        self._factor = max(self._factor / 2, _SLOWEST)

    def go_on(self) -> None:
        """Recover a little after a row that succeeded."""
        self._pause = _FIRST_PAUSE
        self._factor = min(self._factor * _RECOVERY, 1.0)


class Breaker:
    """Targets that did not answer a moment ago, so that not every request waits for them.

    The threads of a process share it. The worst result of a race is one more attempt.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._open_until: dict[str, float] = {}

    def is_open(self, target: str) -> bool:
        """Return whether ``target`` is to be skipped for now."""
        return self._clock() < self._open_until.get(target, float("-inf"))

    def trip(self, target: str) -> None:
        """Skip ``target`` for a while, after a failure."""
        self._open_until[target] = self._clock() + self._seconds

    def reset(self) -> None:
        """Forget all failures."""
        self._open_until.clear()
