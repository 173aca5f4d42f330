"""Counts that stop: to count a fleet to its end takes longer than to show the page that says it."""

from collections.abc import Iterable
from typing import Any

from django.db.models import F, QuerySet

from pki.models.fields import SortedLast

MOST_COUNTED = 10_000
"""Rows that are counted. A larger number helps nobody to decide anything."""


def count_up_to(rows: QuerySet[Any], most: int | None = None) -> int:
    """Return how many rows there are, at most one more than ``most`` (``MOST_COUNTED``)."""
    return rows.order_by()[: (most or MOST_COUNTED) + 1].count()


def found_first(
    rows: QuerySet[Any], found: QuerySet[Any], ordering: Iterable[Any]
) -> QuerySet[Any]:
    """Return those of ``rows`` that are among ``found``, up to ``MOST_COUNTED``, in an order.

    They are found by the indexes of its condition and sorted afterwards. ``ordering`` has names of
    columns, as `order_by` takes them.
    """
    some = rows.filter(pk__in=found.order_by().values("pk")[:MOST_COUNTED])
    return some.order_by(*(_sorted_last(one) if isinstance(one, str) else one for one in ordering))


def _sorted_last(name: str) -> Any:
    value = SortedLast(F(name.lstrip("-")))
    return value.desc() if name.startswith("-") else value.asc()


def count_in_words(count: int, most: int | None = None) -> str:
    """Return what ``count_up_to`` returned, for people."""
    most = most or MOST_COUNTED
    return f"more than {most:,}" if count > most else str(count)
