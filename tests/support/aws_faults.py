"""Faults of AWS, for every client that boto3 makes, and a record of the calls.

    with failing("kms", "Sign", Fault.THROTTLE, times=1) as fault:
        ...
    assert fault.met == 1

    with aws_calls() as calls:
        ...
    assert calls == ["kms:Sign"]

Services and operations are named as boto3 and the service model name them (``secretsmanager``,
``GetSecretValue``). botocore's own retries run as they do in real life, without their pauses. A
client with a Stubber sends nothing, so that it meets no fault. Its calls are recorded.
"""

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from types import SimpleNamespace
from unittest import mock

import botocore
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ReadTimeoutError
from botocore.httpsession import URLLib3Session
from botocore.utils import EVENT_ALIASES

ALWAYS = 10**9
EVERY_ATTEMPT = 10**9


class Fault(Enum):
    """A way in which a call fails."""

    TIMEOUT = "timeout"
    """AWS does not get the request, and the client waits in vain."""
    SUCCESS_THEN_TIMEOUT = "success-then-timeout"
    """AWS does what the request asks for, at each attempt, and its answer is lost."""
    THROTTLE = "throttle"
    SERVER_ERROR = "server-error"
    ACCESS_DENIED = "access-denied"


@dataclass(frozen=True)
class Refusal:
    """An error that one service answers with: its code and its HTTP status."""

    code: str
    status: int = 400


_ANSWERS = {
    Fault.THROTTLE: Refusal("ThrottlingException"),
    Fault.SERVER_ERROR: Refusal("InternalFailure", 500),
    Fault.ACCESS_DENIED: Refusal("AccessDeniedException", 403),
}
_XML = frozenset({"cloudformation", "iam", "rds", "route-53", "s3", "sns", "sts"})


@dataclass
class Failing:
    """An operation whose next ``times`` calls fail, each of them at ``attempts`` attempts."""

    operation: str
    fault: Fault | Refusal
    times: int
    attempts: int
    met: int = 0
    """How many calls have failed so far."""
    _attempts_by_call: dict[str, int] = field(default_factory=dict)

    def hits(self, call: str) -> bool:
        """Return whether this attempt fails. botocore's retries have the same ``call``."""
        attempts = self._attempts_by_call.get(call)
        if attempts is None:
            if self.met == self.times:
                return False
            self.met += 1
        self._attempts_by_call[call] = (attempts or 0) + 1
        return self._attempts_by_call[call] <= self.attempts


_lock = threading.Lock()
_active: list[Failing] = []
_recorders: list[list[str]] = []


@contextmanager
def failing(service, operation, fault, *, times=ALWAYS, attempts=EVERY_ATTEMPT):
    """Let calls of ``operation`` fail. Yields a ``Failing``, which counts them in ``met``.

    ``fault`` is a ``Fault``, or a ``Refusal`` for an error of this service alone.

    ``times`` counts calls as our code makes them, so that ``times=1`` is one call that failed for
    good, with all of botocore's attempts. With ``attempts=1`` only the first attempt of each such
    call fails, and botocore repeats it.
    """
    one = Failing(_event_part(service, operation), fault, times, attempts)
    with _lock:
        _active.append(one)
    try:
        with mock.patch("botocore.endpoint.time", SimpleNamespace(sleep=lambda seconds: None)):
            yield one
    finally:
        with _lock:
            _active.remove(one)


@contextmanager
def aws_calls():
    """Yield a list to which each call is added, as ``kms:Sign``. A retry is not a call."""
    calls = []
    _recorders.append(calls)
    try:
        yield calls
    finally:
        _recorders[:] = [other for other in _recorders if other is not calls]


def _event_part(service, operation):
    return f"{EVENT_ALIASES.get(service, service)}.{operation}"


def _note(event_name, **_):
    _, service, operation = event_name.split(".")
    # boto3 has no client of the name cloudwatch-events, which stands for the same as events.
    named = (pair for pair in EVENT_ALIASES.items() if pair[0] != "cloudwatch-events")
    names = {alias: name for name, alias in named}
    for calls in _recorders:
        calls.append(f"{names.get(service, service)}:{operation}")


def _inject(event_name, request, **_):
    """Return what botocore gets in place of an answer, or ``None`` to send the request."""
    operation = event_name.partition(".")[2]
    call = _text(request.headers["amz-sdk-invocation-id"])
    with _lock:
        hit = [one for one in _active if one.operation == operation and one.hits(call)]
    if not hit:
        return None
    fault = hit[0].fault
    if fault is Fault.SUCCESS_THEN_TIMEOUT:
        URLLib3Session(timeout=10).send(request)
    refusal = fault if isinstance(fault, Refusal) else _ANSWERS.get(fault)
    if refusal is None:
        raise ReadTimeoutError(endpoint_url=request.url)
    return _answer(request.url, operation, refusal)


def _answer(url, operation, refusal):
    """Return an error in the format of the service, XML or JSON."""
    code, message = refusal.code, "a fault of the tests"
    if operation.partition(".")[0] in _XML:
        body = (
            f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error>"
            "<RequestId>fault</RequestId></ErrorResponse>"
        )
    else:
        body = json.dumps({"__type": code, "message": message})
    return AWSResponse(url, refusal.status, {"x-amzn-errortype": code}, _Raw(body.encode()))


def _text(value):
    return value.decode() if isinstance(value, bytes) else value


class _Raw:
    """The part of urllib3's response that botocore reads."""

    def __init__(self, body):
        self._body = body

    def stream(self, *_, **__):
        yield self._body


def _watch(session):
    session.register("before-send", _inject)
    session.register("before-call", _note)


botocore.register_initializer(_watch)  # for every session from here on
