"""How far each target agrees with the record: for the dashboard, commands and alarms."""

import datetime
from dataclasses import dataclass

from django.db.models import Count, Min, Q
from django.utils import timezone

from iotprov.conf import iot_settings
from iotprov.models import Provisioning

State = Provisioning.State


@dataclass(frozen=True, slots=True)
class Backlog:
    """The outbox of one target."""

    target: str
    pending: int
    parked: int
    settled: int
    due: int
    pending_since: datetime.datetime | None
    """Since when the oldest pending row waits. Its age is what to raise an alarm on."""
    error: str
    """Of the pending or parked row that waits longest and has failed; "" when none has."""

    @property
    def age(self) -> datetime.timedelta:
        """How long the oldest pending row has waited."""
        if self.pending_since is None:
            return datetime.timedelta()
        return max(timezone.now() - self.pending_since, datetime.timedelta())


def backlogs() -> list[Backlog]:
    """One for each target: the configuration's, in its order, then those only rows still name."""
    now = timezone.now()
    rows = (
        Provisioning.objects.order_by()
        .values("target")
        .annotate(
            pending=Count("pk", filter=Q(state=State.PENDING)),
            parked=Count("pk", filter=Q(state=State.PARKED)),
            settled=Count("pk", filter=Q(state=State.SETTLED)),
            due=Count("pk", filter=Q(next_attempt_at__lte=now)),
            pending_since=Min("pending_since", filter=Q(state=State.PENDING)),
        )
    )
    counted = {
        row["target"]: Backlog(
            **row, error=_oldest_error(row["target"]) if row["pending"] or row["parked"] else ""
        )
        for row in rows
    }
    names = [target.name for target in iot_settings().targets]
    return [
        counted.get(name) or Backlog(name, 0, 0, 0, 0, None, "")
        for name in dict.fromkeys([*names, *sorted(counted)])
    ]


def _oldest_error(target: str) -> str:
    failed = Provisioning.objects.filter(target=target).exclude(error="")
    return failed.order_by("pending_since").values_list("error", flat=True).first() or ""
