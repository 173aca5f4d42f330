"""Filters of lists: named conditions, each of which can use an index."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from pki.admin.bounded_count import MOST_LOOKED_AT, newest

OF_THE_NEWEST = f", of the newest {MOST_LOOKED_AT:,}"
"""The end of the title of a filter whose conditions have no index."""


def titled(title: str, base: type[admin.FieldListFilter]) -> type[admin.FieldListFilter]:
    """Return one of Django's filters with another title."""

    class Titled(base):  # type: ignore[misc,valid-type]  # a base that is an argument
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.title = title

    return Titled


class ChoiceFilter(admin.SimpleListFilter):
    """A filter by named conditions. Each is made when it is used, since some depend on the time."""

    choices_offered: ClassVar[Mapping[str, tuple[str, Callable[[], Q]]]]
    """By the value in the URL: the words, and what makes the condition."""
    orders: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """By the value in the URL: the order in which an index finds the rows of the condition."""
    has_index: ClassVar[bool] = True
    """Whether an index finds the rows. Otherwise the list looks at the newest ones only."""

    @property
    def order(self) -> tuple[str, ...]:
        """Return the order of the chosen condition; empty if the list's own will do."""
        return self.orders.get(self.value() or "", ())

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return values and words of the conditions."""
        return [(value, words) for value, (words, _) in self.choices_offered.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows of the chosen condition, or all rows if the value is not offered."""
        _, condition = self.choices_offered.get(self.value() or "", ("", None))
        if condition is None:
            return queryset
        return (queryset if self.has_index else newest(queryset)).filter(condition())
