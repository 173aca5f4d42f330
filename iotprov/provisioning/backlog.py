"""How many outbox rows wait at each target, for pages, commands and alarms."""

import datetime
from dataclasses import dataclass

from django.db.models import Count, Min, Q
from django.utils import timezone

from iotprov.conf import iot_settings
from iotprov.models import Provisioning
from iotprov.provisioning.ca_withdrawal import open_withdrawals
from pki.record.bounded_counts import count_up_to

State = Provisioning.State


@dataclass(frozen=True, slots=True)
class Backlog:
    """The outbox of one target."""

    target: str
    pending: int
    parked: int
    settled: int
    """Counted as `count_up_to` counts."""
    due: int
    pending_since: datetime.datetime | None
    """Since when the oldest pending row waits. Alarms go by its age."""
    error: str
    """The error of the pending or parked row that has waited longest, or ""."""

    @property
    def age(self) -> datetime.timedelta:
        """Return how long the oldest pending row has waited."""
        if self.pending_since is None:
            return datetime.timedelta()
        return max(timezone.now() - self.pending_since, datetime.timedelta())


def backlogs() -> list[Backlog]:
    """Return one for each target: those of the configuration, then those of rows that wait.

    What agrees is nearly all of a fleet. Two indexes find what does not, and only that is counted
    to its end.
    """
    rows = Provisioning.objects.order_by()
    waiting = {
        row["target"]: row
        for row in rows.filter(state__in=(State.PENDING, State.PARKED))
        .values("target")
        .annotate(
            pending=Count("pk", filter=Q(state=State.PENDING)),
            parked=Count("pk", filter=Q(state=State.PARKED)),
            pending_since=Min("pending_since", filter=Q(state=State.PENDING)),
        )
    }
    due = dict(
        rows.filter(next_attempt_at__lte=timezone.now())
        .values("target")
        .annotate(due=Count("pk"))
        .values_list("target", "due")
    )
    names = [target.name for target in iot_settings().targets]
    return [
        Backlog(
            target=name,
            pending=waiting[name]["pending"] if name in waiting else 0,
            parked=waiting[name]["parked"] if name in waiting else 0,
            settled=count_up_to(rows.filter(target=name, state=State.SETTLED)),
            due=due.get(name, 0),
            pending_since=waiting[name]["pending_since"] if name in waiting else None,
            error=_oldest_error(name) if name in waiting else "",
        )
        for name in dict.fromkeys([*names, *sorted({*waiting, *due})])
    ]


def next_due() -> datetime.datetime | None:
    """Return when the next row of the outbox, or CA to withdraw, is due; None if there is none.

    A leased row counts as well, because its worker may die.
    """
    if open_withdrawals().exists():
        return timezone.now()
    first: datetime.datetime | None
    first = Provisioning.objects.aggregate(first=Min("next_attempt_at"))["first"]
    return first


def _oldest_error(target: str) -> str:
    unsettled = Provisioning.objects.filter(target=target, state__in=(State.PENDING, State.PARKED))
    failed = unsettled.exclude(error="")
    return failed.order_by("pending_since").values_list("error", flat=True).first() or ""
