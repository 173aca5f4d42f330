"""Counts that stop: to count a fleet to its end takes longer than to show the page that says it."""

from typing import Any

from django.db.models import QuerySet

MOST_COUNTED = 10_000
"""Rows that are counted. A larger number helps nobody to decide anything."""


def count_up_to(rows: QuerySet[Any], most: int | None = None) -> int:
    """Return how many rows there are, at most one more than ``most`` (``MOST_COUNTED``)."""
    return rows.order_by()[: (most or MOST_COUNTED) + 1].count()


def count_in_words(count: int, most: int | None = None) -> str:
    """Return what ``count_up_to`` returned, for people."""
    most = most or MOST_COUNTED
    return f"more than {most:,}" if count > most else str(count)
