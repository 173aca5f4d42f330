"""Working on the outbox: within the request that issued a certificate, and by schedule."""

import logging
import time
import uuid
from collections import Counter
from dataclasses import dataclass

from iotprov.conf import iot_settings
from iotprov.models import Provisioning
from iotprov.provisioning import leases
from iotprov.provisioning.attempt import Attempt, OutOfTime, attempt
from iotprov.provisioning.desired_state import needs_provisioning_at_issue
from iotprov.provisioning.pacing import Breaker, Pace
from iotprov.provisioning.retry_policy import RetryAdvice
from pki.models import IssuedCertificate

logger = logging.getLogger(__name__)

REQUEST_READ_TIMEOUT = 2
"""Read timeout of each call while a device waits, in seconds. No call is repeated."""
WORKER_READ_TIMEOUT = 4
"""The same by schedule, in seconds. Short, because the outbox repeats what fails."""
ROW_SECONDS = 60.0
"""No call begins later than this after its row was leased; well below ``leases.LEASE``."""
FAILURES_TO_LEAVE = 3
"""Failures in a row after which a target is skipped for the rest of a drain."""
BATCH = 50  # rows

_breaker = Breaker(seconds=30.0)


# In the request


def provision_now(certificate: IssuedCertificate, *, mode: str) -> None:
    """Work on the outbox rows of ``certificate`` at once, while the device waits.

    Takes ``iot_settings().request_seconds`` at most, plus the call that is under way then.
    ``mode`` is its profile's ``iot_provisioning``. Raises nothing: the device gets its
    certificate, and the schedule does what failed or was not reached.
    """
    if not needs_provisioning_at_issue(certificate.operation, mode):
        return
    deadline = time.monotonic() + iot_settings().request_seconds
    try:
        rows = Provisioning.objects.due().filter(certificate=certificate)
        for row_id, target in rows.order_by("pk").values_list("pk", "target"):
            if not _breaker.is_open(target):
                _provision_in_request(row_id, deadline)
    except OutOfTime:
        logger.info("no time to provision %s now: left to the outbox", certificate)
    except Exception:  # the certificate is issued, and nothing may keep it from the device
        logger.exception("provisioning of %s is left to the outbox", certificate)


def _provision_in_request(row_id: uuid.UUID, deadline: float) -> None:
    _check_time(deadline)
    job = leases.lease(row_id)
    if job is None:
        return

    def check_time(operation: str) -> None:
        _check_time(deadline)

    done = attempt(job, read_timeout=REQUEST_READ_TIMEOUT, before_call=check_time)
    if done.advice in (RetryAdvice.TRANSIENT, RetryAdvice.THROTTLED):
        _breaker.trip(job.target)


def attempt_now(row: Provisioning, *, seconds: float) -> None:
    """Work on a due row while an operator waits; the row then shows the result.

    Takes ``seconds`` at most, plus the call that is under way then. Raises what the database
    raises.
    """
    try:
        _provision_in_request(row.pk, time.monotonic() + seconds)
    except OutOfTime:
        logger.info("no time for %s now: left to the outbox", row)
    row.refresh_from_db()


def _check_time(deadline: float) -> None:
    if time.monotonic() >= deadline:
        raise OutOfTime


# By schedule


@dataclass(frozen=True, slots=True)
class Drained:
    """The result of a drain."""

    settled: int = 0
    postponed: int = 0
    parked: int = 0
    throttled: int = 0
    """Rows that AWS IoT had no quota for."""
    left_targets: tuple[str, ...] = ()
    """Targets that were skipped after failures in a row."""
    error: Exception | None = None
    """The first failure."""

    def __str__(self) -> str:
        left = f"; left alone for now: {', '.join(self.left_targets)}" if self.left_targets else ""
        return f"settled {self.settled}, postponed {self.postponed}, parked {self.parked}{left}"


def drain(*, limit: int | None = None, seconds: float | None = None, target: str = "") -> Drained:
    """Work on due rows until there are none, for ``seconds``, or until ``limit`` rows are done.

    Rows of certificates to be deactivated come first. Calls to a target keep to the pace that AWS
    allows. A target that keeps failing is left to the next drain, and its other rows stay due.
    ``target`` limits the drain to the target of that name. Raises what the database raises.
    """
    return _Drain(limit, seconds, target).run()


class _Drain:
    """One run of ``drain``."""

    def __init__(self, limit: int | None, seconds: float | None, target: str) -> None:
        self._limit = limit if limit is not None else float("inf")
        self._end = time.monotonic() + seconds if seconds is not None else float("inf")
        self._only = target
        self._paces: dict[str, Pace] = {}
        self._failures: Counter[str] = Counter()
        self._left: list[str] = []
        self._counts: Counter[str] = Counter()
        self._throttled = 0
        self._error: Exception | None = None

    def run(self) -> Drained:
        try:
            while self._has_time() and (batch := self._next_batch()):
                for row_id, target in batch:
                    if target not in self._left and not self._pace(target).paused_for():
                        self._work_on(row_id)
                    if not self._has_time():
                        break
        except OutOfTime:
            logger.info("the drain's time is over: the rest stays due")
        return Drained(
            settled=self._counts["settled"],
            postponed=self._counts["postponed"],
            parked=self._counts["parked"],
            throttled=self._throttled,
            left_targets=tuple(self._left),
            error=self._error,
        )

    def _has_time(self) -> bool:
        return time.monotonic() < self._end and self._counts.total() < self._limit

    def _pace(self, target: str) -> Pace:
        return self._paces.setdefault(target, Pace())

    def _next_batch(self) -> list[tuple[uuid.UUID, str]]:
        """Return the due rows, urgent ones first; wait while every target is paused."""
        rows = Provisioning.objects.due().exclude(target__in=self._left)
        if self._only:
            rows = rows.filter(target=self._only)
        while True:
            paused = [name for name, pace in self._paces.items() if pace.paused_for()]
            found = rows.exclude(target__in=paused).order_by("-is_urgent", "next_attempt_at", "pk")
            batch = list(found.values_list("pk", "target")[:BATCH])
            if batch or not paused or not rows.exists():
                return batch
            self._sleep(min(self._paces[name].paused_for() for name in paused))

    def _work_on(self, row_id: uuid.UUID) -> None:
        job = leases.lease(row_id)
        if job is None:
            return  # another worker has it
        pace = self._pace(job.target)
        row_end = time.monotonic() + ROW_SECONDS

        def wait_for_turn(operation: str) -> None:
            delay = pace.delay(operation)
            if time.monotonic() + delay >= row_end:
                raise OutOfTime
            self._sleep(delay)

        done = attempt(job, read_timeout=WORKER_READ_TIMEOUT, before_call=wait_for_turn)
        self._count(job.target, done)
        if done.advice is None:
            pace.go_on()
        elif done.advice is RetryAdvice.THROTTLED:
            pace.slow_down()

    def _sleep(self, seconds: float) -> None:
        if time.monotonic() + seconds >= self._end:
            raise OutOfTime
        time.sleep(seconds)

    def _count(self, target: str, done: Attempt) -> None:
        if done.error is None:
            self._failures[target] = 0
            self._counts["settled" if done.is_settled else "outgrown"] += 1
            return
        self._error = self._error or done.error
        self._counts["parked" if done.is_parked else "postponed"] += 1
        if done.advice is RetryAdvice.THROTTLED:
            self._throttled += 1
        else:
            self._failures[target] += 1
        if self._failures[target] >= FAILURES_TO_LEAVE:
            self._left.append(target)
