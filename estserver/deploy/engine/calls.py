"""Calls to AWS as data: named, printed without secrets, paced, carried out."""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pki.aws.clients import as_remote_failure, aws_client
from pki.operators.errors import RemoteFailure

PATIENCE = 60
"""Seconds; what an operator waits for may take longer than what a device waits for."""

PACES: Mapping[str, float] = {
    "apigateway:CreateDomainName": 30,
    "apigateway:UpdateDomainName": 30,
    "apigateway:DeleteDomainName": 30,
    "apigateway:CreateDeployment": 5,
    "apigateway:UpdateAccount": 20,
    "apigateway:DeleteRestApi": 30,
}
"""Seconds that API Gateway wants between two calls of a kind, for the whole account; fixed.
https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
"""

THROTTLED_ATTEMPTS = 5
SETTLING_ATTEMPTS = 6
"""What was just made takes some seconds until every service knows it."""
_SETTLING_PAUSE = 5.0
_SETTLING_CODES = ("WAFUnavailableEntityException",)
_SETTLING_WORDS = ("cannot be assumed", "does not have required permissions", "invalid role")

_MISSING = frozenset(
    {
        "404",
        "NoSuchBucket",
        "NoSuchBucketPolicy",
        "NoSuchConfiguration",
        "NoSuchEntity",
        "NoSuchKey",
        "NoSuchLifecycleConfiguration",
        "NoSuchPublicAccessBlockConfiguration",
        "NoSuchTagSet",
        "NoSuchVersion",
        "NotFoundException",
        "OwnershipControlsNotFoundError",
        "ResourceNotFoundException",
        "ServerSideEncryptionConfigurationNotFoundError",
        "WAFNonexistentItemException",
    }
)


class Clock(Protocol):
    """Time, so that tests needn't wait for it."""

    def now(self) -> float:
        """Seconds since some moment; never goes back."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The real one."""

    def now(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Answer:
    """Stands in parameters for what an earlier call will answer: ``KeyMetadata.KeyId``."""

    call: str
    path: str

    def __str__(self) -> str:
        return f"<{self.path} of {self.call}>"


@dataclass(frozen=True, slots=True)
class Call:
    """One change: ``apigateway``, ``CreateDomainName``, its parameters, and why it is needed."""

    service: str
    operation: str
    reason: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    secret: frozenset[str] = frozenset()
    """Parameters that are never shown."""

    @property
    def name(self) -> str:
        """``service:Operation``, as in IAM policies and error messages."""
        return f"{self.service}:{self.operation}"

    def __str__(self) -> str:
        shown = {
            key: "(not shown)" if key in self.secret else _readable(value)
            for key, value in self.parameters.items()
        }
        return f"{self.name} {json.dumps(shown, ensure_ascii=True)}"

    __repr__ = __str__  # a traceback shows no more than the screen


def _readable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _readable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_readable(each) for each in value]
    if isinstance(value, bytes):
        return f"({len(value)} bytes)"
    return str(value) if isinstance(value, Answer) else value


def ask(service: str, operation: str, **parameters: Any) -> Any:
    """What a call that changes nothing answers. Raises ``RemoteFailure``."""
    with as_remote_failure(f"{service}:{operation}"):
        return _send(service, operation, parameters)


def ask_if_any(service: str, operation: str, **parameters: Any) -> Any:
    """As ``ask``; ``None`` when AWS says that there is no such thing."""
    try:
        return ask(service, operation, **parameters)
    except RemoteFailure as error:
        if error.code in _MISSING:
            return None
        raise


def ask_all(service: str, operation: str, key: str, **parameters: Any) -> list[Any]:
    """The items under ``key`` of every page. Raises ``RemoteFailure``."""
    with as_remote_failure(f"{service}:{operation}"):
        client = aws_client(service, read_timeout=PATIENCE)
        pages = client.get_paginator(_method(client, operation))
        return [item for page in pages.paginate(**parameters) for item in page.get(key, [])]


def _send(service: str, operation: str, parameters: Mapping[str, Any]) -> Any:
    client = aws_client(service, read_timeout=PATIENCE)
    return getattr(client, _method(client, operation))(**parameters)


def _method(client: Any, operation: str) -> str:
    """How boto3 spells ``CreateWebACL``: ``create_web_acl``."""
    spelled: Mapping[str, str] = client.meta.method_to_api_mapping
    return next(method for method, name in spelled.items() if name == operation)


class Performer:
    """Carries calls out, no faster than API Gateway takes them."""

    def __init__(self, say: Callable[[str], None], clock: Clock | None = None) -> None:
        self.say = say
        self.clock = clock or SystemClock()
        self._answers: dict[str, Any] = {}
        self._next_at: dict[str, float] = {}

    def perform(self, call: Call) -> Any:
        """Carry out one call; returns what AWS answers. Raises ``RemoteFailure``."""
        parameters = self._filled(call.parameters)
        for attempt in range(1, SETTLING_ATTEMPTS + 1):
            self._keep_pace(call)
            try:
                with as_remote_failure(call.name):
                    answer = _send(call.service, call.operation, parameters)
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
        """Wait, and say for what."""
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
        """Seconds after which the call may work; 0 when it won't."""
        if error.is_throttled and attempt < THROTTLED_ATTEMPTS:
            # Somebody else in the account, or our own last run, has just made the same call.
            return PACES.get(call.name, 2.0 * attempt)
        is_settling = error.code in _SETTLING_CODES or any(
            words in str(error).lower() for words in _SETTLING_WORDS
        )
        return _SETTLING_PAUSE if is_settling and attempt < SETTLING_ATTEMPTS else 0

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
