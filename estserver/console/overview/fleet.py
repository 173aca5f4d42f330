"""The fleet in numbers: what expires when, what was issued, what was refused."""

import datetime
from dataclasses import dataclass
from itertools import pairwise

from django.utils import timezone

from estserver.console.overview.figures import Figure, counted, list_with
from estserver.enrollment.refusal_counts import refusals, since
from estserver.est.reasons import HTTPReason
from estserver.models import Message, OfficerRequest, PendingHook
from pki.models import AuditEvent, IssuedCertificate, Job
from pki.models.fields import first_identifier
from pki.reasons import Reason

DAY = datetime.timedelta(days=1)
MONTHS = 12
State = IssuedCertificate.State
Operation = IssuedCertificate.Operation

_ISSUED = (State.ISSUED, State.SUPERSEDED, State.REVOKED)
_BY_DEVICES = (Operation.ENROLL, Operation.REENROLL)
_REASONS = {reason.code: reason for group in (Reason, HTTPReason) for reason in group}


@dataclass(frozen=True, slots=True)
class Month:
    """The current certificates that expire within a calendar month (UTC)."""

    first: datetime.datetime
    figure: Figure

    @property
    def name(self) -> str:
        """The month, such as ``2026-12``."""
        return f"{self.first:%Y-%m}"

    @property
    def label(self) -> str:
        """The month in a chart, which has room for a year in January only."""
        return f"{self.first:%b %Y}" if self.first.month == 1 else f"{self.first:%b}"


@dataclass(frozen=True, slots=True)
class RefusedFor:
    """The refusals of one reason, in 24 hours and in 30 days."""

    code: str
    meaning: str
    day: Figure
    month: Figure


@dataclass(frozen=True, slots=True)
class Fleet:
    """The numbers of certificates."""

    expiring: dict[int, Figure]
    """Current certificates that expire within so many days."""
    months: list[Month]
    not_renewed: Figure
    """Certificates of devices that expired within 30 days, and that nothing replaced."""
    issued_day: Figure
    issued_month: Figure
    total: Figure
    open_jobs: Figure
    failed_jobs: Figure
    hooks: Figure
    failing_hooks: Figure
    waiting_messages: Figure
    parked_messages: Figure
    open_requests: Figure
    """What waits for a second person (`estserver.people.two_persons`)."""


def read_fleet(now: datetime.datetime | None = None) -> Fleet:
    """Return the numbers, from one statement."""
    now = now or timezone.now()
    days = (7, 30, 90)
    edges = _months(now)
    current = {"state": State.ISSUED}
    figures = [
        *(_certificates(**current, not_after__gt=now, not_after__lte=now + n * DAY) for n in days),
        *(
            _certificates(**current, not_after__gte=max(first, now), not_after__lt=following)
            for first, following in pairwise(edges)
        ),
        _certificates(
            **current,
            operation__in=_BY_DEVICES,
            not_after__gt=now - 30 * DAY,
            not_after__lte=now,
        ),
        *(
            _certificates(state__in=_ISSUED, id__gte=first_identifier(now - n * DAY))
            for n in (1, 30)
        ),
        _certificates(),
        Figure(Job, {"state__in": (Job.State.PREPARING, Job.State.RUNNING)}),
        Figure(Job, {"state": Job.State.FAILED}),
        Figure(PendingHook, {}),
        Figure(PendingHook, {"attempts__gt": 0}),
        Figure(Message, {"state": Message.State.WAITING}),
        Figure(Message, {"state": Message.State.PARKED}),
        Figure(OfficerRequest, {"state": OfficerRequest.State.OPEN, "ends_at__gt": now}),
    ]
    numbers = iter(counted(figures))
    return Fleet(
        expiring={n: next(numbers) for n in days},
        months=[Month(first, next(numbers)) for first in edges[:-1]],
        not_renewed=next(numbers),
        issued_day=next(numbers),
        issued_month=next(numbers),
        total=next(numbers),
        open_jobs=next(numbers),
        failed_jobs=next(numbers),
        hooks=next(numbers),
        failing_hooks=next(numbers),
        waiting_messages=next(numbers),
        parked_messages=next(numbers),
        open_requests=next(numbers),
    )


def read_refusals() -> list[RefusedFor]:
    """Return the refusals on the audit trail by reason, the most frequent first."""
    found = []
    for one in refusals():
        reason = _REASONS.get(one.code)
        found.append(
            RefusedFor(
                one.code,
                reason.meaning if reason else "",
                _refusals(one.code, 1, one.day),
                _refusals(one.code, 30, one.month),
            )
        )
    return found


def refusals_url(days: int) -> str:
    """Return the address of the list of all refusals of the last ``days``."""
    return list_with(AuditEvent, {"action__startswith": "refuse-", "at__gte": since(days)})


def _refusals(code: str, days: int, count: int) -> Figure:
    lookups = {
        "action__startswith": "refuse-",
        "reason__startswith": f"{code}:",
        "at__gte": since(days),
    }
    return Figure(AuditEvent, lookups, count)


def _certificates(**lookups: object) -> Figure:
    return Figure(IssuedCertificate, lookups)


def _months(now: datetime.datetime) -> list[datetime.datetime]:
    """Return the first moments of this month and of the twelve after it."""
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    months = [first]
    for _ in range(MONTHS):
        months.append((months[-1] + 32 * DAY).replace(day=1))
    return months
