"""Lists that count to a bound: to count a fleet to its end takes longer than to show its page."""

from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.utils.functional import cached_property

MOST_COUNTED = 10_000
"""Rows that a list counts and that its pages reach. Filters and search lead further."""


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts rows up to one more than ``MOST_COUNTED``."""

    @cached_property
    def count(self) -> int:
        """How many rows there are, at most one more than are counted."""
        rows = self.object_list.order_by()  # type: ignore[attr-defined]
        counted: int = rows[: MOST_COUNTED + 1].count()
        return counted


class BoundedChangeList(ChangeList):
    """A list that says when there are more rows than were counted."""

    @property
    def count_in_words(self) -> str:
        """How many rows there are, for people."""
        if self.result_count > MOST_COUNTED:
            return f"more than {MOST_COUNTED:,}"
        return str(self.result_count)
