"""How many refusals the audit trail has, by reason and hour, for the console's overview.

Each refusal that becomes a row on the trail is counted in the same transaction, so that a count is
the number of rows. An enrollment that succeeds writes nothing here. A refusal writes one statement
more, or two for the first of an hour.
"""

import datetime
import uuid
from dataclasses import dataclass
from functools import partial

from django.db.models import F, Q, Sum
from django.utils import timezone

from estserver.models import RefusalCount
from pki.record import audit_trail
from pki.record.transactions import CHUNK, in_write_transaction

DAY = datetime.timedelta(days=1)
KEPT_FOR = 31 * DAY
"""How long an hour's counts are kept. The trail keeps the refusals themselves."""


@dataclass(frozen=True, slots=True)
class Refusals:
    """The refusals of one reason on the trail."""

    code: str
    day: int
    """Within ``since(1)`` and now."""
    month: int
    """Within ``since(30)`` and now."""


def code_of(reason: str) -> str:
    """Return the code that the text of a refusal begins with."""
    return reason.partition(":")[0]


def count_refusal(reason: str) -> None:
    """Count the row that this thread has just added to the trail, in the caller's transaction."""
    head = audit_trail.head()
    if head is None:
        return
    row = {"hour": _hour(timezone.now()), "code": code_of(reason)[:60], "chain": head.chain}
    if not RefusalCount.objects.filter(**row).update(count=F("count") + 1):
        RefusalCount.objects.create(**row, count=1)


def since(days: int) -> datetime.datetime:
    """Return the beginning of the hour in which a period of ``days`` until now began."""
    return _hour(timezone.now() - days * DAY)


def refusals() -> list[Refusals]:
    """Return the refusals of 24 hours and of 30 days by reason, the most frequent first."""
    rows = (
        RefusalCount.objects.filter(hour__gte=since(30))
        .values("code")
        .annotate(month=Sum("count"), day=Sum("count", filter=Q(hour__gte=since(1))))
        .order_by("-month", "code")
    )
    return [Refusals(row["code"], row["day"] or 0, row["month"]) for row in rows]


def remove_old_counts() -> int:
    """Remove the counts that no page shows any more, and return how many there were."""
    removed = 0
    while True:
        old = RefusalCount.objects.filter(hour__lt=timezone.now() - KEPT_FOR)
        keys = list(old.values_list("pk", flat=True)[:CHUNK])
        if not keys:
            return removed
        removed += in_write_transaction(partial(_remove, keys))


def _remove(keys: list[uuid.UUID]) -> int:
    return RefusalCount.objects.filter(pk__in=keys).delete()[0]


def _hour(at: datetime.datetime) -> datetime.datetime:
    return at.replace(minute=0, second=0, microsecond=0)
