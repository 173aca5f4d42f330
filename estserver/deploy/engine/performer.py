"""Carry calls out at the pace that AWS allows, and again while earlier changes settle."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from estserver.deploy.engine.calls import Answer, Call, send
from pki.aws.clients import as_remote_failure
from pki.operators.errors import RemoteFailure

PACES: Mapping[str, float] = {
    "apigateway:CreateDomainName": 30,
    "apigateway:UpdateDomainName": 30,
    "apigateway:DeleteDomainName": 30,
    "apigateway:CreateDeployment": 5,
    "apigateway:UpdateAccount": 20,
    "apigateway:DeleteRestApi": 30,
}
"""Seconds between two calls of a kind in one account. These quotas of API Gateway are fixed.
https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
"""

THROTTLED_ATTEMPTS = 5
SETTLING_ATTEMPTS = 6
"""A new resource takes some seconds until every service knows it."""
SETTLING_PAUSE = 5.0
_SETTLING_CODES = ("WAFUnavailableEntityException",)
_SETTLING_WORDS = ("cannot be assumed", "does not have required permissions", "invalid role")


class Clock(Protocol):
    """A source of time, which tests replace."""

    def now(self) -> float:
        """Return seconds since a fixed moment; the value never decreases."""

    def sleep(self, seconds: float) -> None:
        """Wait that many seconds."""


class SystemClock:
    """The clock of this machine."""

    def now(self) -> float:
        """Return seconds since a fixed moment."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait that many seconds."""
        time.sleep(seconds)


class Performer:
    """Carries calls out, no faster than ``PACES``, and prints each wait through ``say``."""

    def __init__(self, say: Callable[[str], None], clock: Clock | None = None) -> None:
        self.say = say
        self.clock = clock or SystemClock()
        self._answers: dict[str, Any] = {}
        self._next_at: dict[str, float] = {}

    def perform(self, call: Call) -> Any:
        """Carry out one call, and return AWS's answer. Raises ``RemoteFailure``."""
        parameters = self._filled(call.parameters)
        for attempt in range(1, SETTLING_ATTEMPTS + 1):
            self._keep_pace(call)
            try:
                with as_remote_failure(call.name):
                    answer = send(call.service, call.operation, parameters, call.region)
            except RemoteFailure as error:
                pause = self._pause_after(error, call, attempt)
                if not pause:
                    raise
                self._wait(pause, f"{call.name} answered {error.code}")
            else:
                self._answers[call.name] = answer
                return answer
        raise AssertionError("unreachable: the last attempt returns or raises")

    def wait(self, seconds: float, why: str) -> None:
        """Wait, and print for what."""
        self._wait(seconds, why)

    def _keep_pace(self, call: Call) -> None:
        pace = PACES.get(call.name)
        if pace is None:
            return
        now = self.clock.now()
        ready_at = self._next_at.get(call.name, now)
        if ready_at > now:
            self._wait(ready_at - now, f"API Gateway takes one {call.operation} in {pace:.0f} s")
        self._next_at[call.name] = self.clock.now() + pace

    def _pause_after(self, error: RemoteFailure, call: Call, attempt: int) -> float:
        """Return the seconds after which the call may work; 0 when it is refused for good."""
        if error.is_throttled and attempt < THROTTLED_ATTEMPTS:
            # Another client in the account, or an earlier run, has just made the same call.
            return PACES.get(call.name, 2.0 * attempt)
        is_settling = error.code in _SETTLING_CODES or any(
            words in str(error).lower() for words in _SETTLING_WORDS
        )
        return SETTLING_PAUSE if is_settling and attempt < SETTLING_ATTEMPTS else 0

    def _wait(self, seconds: float, why: str) -> None:
        self.say(f"  waiting {seconds:.0f} s: {why}")
        self.clock.sleep(seconds)

    def _filled(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: self._filled(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self._filled(each) for each in value]
        if isinstance(value, Answer):
            return _at(self._answers[value.call], value.path.split("."))
        return value


def _at(answer: Any, path: Iterable[str]) -> Any:
    for key in path:
        answer = answer[key]
    return answer
