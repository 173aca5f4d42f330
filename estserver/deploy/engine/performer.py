"""Carry calls out at the pace that AWS allows, and again while earlier changes settle."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from estserver.deploy.engine.calls import Answer, Call, send
from estserver.deploy.engine.slow_spread import PAUSE, SlowSpread, slow_spread
from pki.aws.clients import as_remote_failure
from pki.operators.errors import OperatorError, RemoteFailure, remote_failure

T = TypeVar("T")

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
LISTED_SECONDS = 300
"""The longest wait until AWS lists what was made."""


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
        answer = self.patiently(lambda: self._send(call, parameters))
        self._answers[call.name] = answer
        return answer

    def patiently(self, attempt: Callable[[], T]) -> T:
        """Return what ``attempt`` returns, which may read or change AWS.

        It is made again while AWS refuses it for a reason that passes (`slow_spread`). Raises what
        it raises; after a wait, the message says what was waited for.
        """
        waited: dict[SlowSpread, float] = {}
        while True:
            try:
                return attempt()
            except OperatorError as error:
                cause = remote_failure(error)
                spread = slow_spread(cause, self._answers) if cause is not None else None
                if cause is None or spread is None:
                    raise
                if waited.get(spread, 0.0) >= spread.seconds:
                    error.args = _told(error, spread)  # a failure keeps its call and its code
                    raise
                waited[spread] = waited.get(spread, 0.0) + PAUSE
                self._wait(PAUSE, f"{cause.call} answered {cause.code}, and {spread.why}")

    def wait_until(self, is_there: Callable[[], bool], why: str) -> None:
        """Wait until AWS lists what was made. ``why`` is a phrase about what is not there yet.

        Raises ``OperatorError`` after ``LISTED_SECONDS``.
        """
        waited = 0.0
        while not self.patiently(is_there):
            if waited >= LISTED_SECONDS:
                raise OperatorError(f"{why}, although {waited / 60:.0f} minutes have passed.")
            waited += PAUSE
            self._wait(PAUSE, why)

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

    def _send(self, call: Call, parameters: Mapping[str, Any]) -> Any:
        """Send the call, and again while AWS throttles it: another run made the same call."""
        for attempt in range(1, THROTTLED_ATTEMPTS + 1):
            self._keep_pace(call)
            try:
                with as_remote_failure(call.name):
                    return send(call.service, call.operation, parameters, call.region)
            except RemoteFailure as error:
                if not error.is_throttled or attempt == THROTTLED_ATTEMPTS:
                    raise
                pause = PACES.get(call.name, 2.0 * attempt)
                self._wait(pause, f"{call.name} answered {error.code}")
        raise AssertionError("unreachable: the last attempt returns or raises")

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


def _told(error: OperatorError, spread: SlowSpread) -> tuple[str]:
    """Return the text of an error with a sentence about what was waited for."""
    return (
        f"{str(error).rstrip('.')}. This command has waited {spread.seconds} s, because at first "
        f"{spread.why}. That is not the cause.",
    )


def _at(answer: Any, path: Iterable[str]) -> Any:
    for key in path:
        answer = answer[key]
    return answer
