"""Filters of lists: named conditions, and typed values, each of which can use an index."""

import datetime
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext

from pki.admin.bounded_count import MOST_LOOKED_AT, newest

_FIRST_YEAR, _LAST_YEAR = 1970, 9998

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
    problem: str = ""
    """What is wrong with the value, once the rows were asked for."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = gettext(str(self.title))

    @property
    def order(self) -> tuple[str, ...]:
        """Return the order of the chosen condition; empty if the list's own will do."""
        return self.orders.get(self.value() or "", ())

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return values and words of the conditions."""
        return [(value, gettext(words)) for value, (words, _) in self.choices_offered.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows of the chosen value, and none for a value that is not offered.

        Such a value in an address is a mistake. All rows in its place would be revoked with it.
        """
        value = self.value()
        if not value:
            return queryset
        offered = [one for one, _ in self.lookup_choices]
        if value not in offered:
            self.problem = f"{value[:64]!a} is not a value of {self.parameter_name}. " + (
                f"Use one of: {', '.join(offered)}." if offered else "It has no values now."
            )
            return queryset.none()
        return self.chosen(queryset, value)

    def chosen(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Return the rows of a value that is offered."""
        _, condition = self.choices_offered[value]
        return (queryset if self.has_index else newest(queryset)).filter(condition())


@dataclass(frozen=True, slots=True)
class FilterField:
    """One field of a filter in which a person types."""

    name: str
    label: str
    kind: str
    """The type of the HTML input."""
    value: str


class TypedFilter(admin.ListFilter, ABC):
    """A filter in which a person types values. A value that cannot be read leaves no rows."""

    template = "admin/pki/text_filter.html"
    inputs: ClassVar[tuple[tuple[str, str, str], ...]]
    """Name in the address, label, and type of each field."""

    def __init__(
        self,
        request: HttpRequest,
        params: dict[str, Any],
        model: type[Any],
        model_admin: Any,
    ) -> None:
        super().__init__(request, params, model, model_admin)
        self.problem = ""
        self.title = gettext(str(self.title))
        for name in self.names:
            if name in params:
                self.used_parameters[name] = _last(params.pop(name))
        own = {*self.names, "p"}
        self.others = [(key, value) for key, value in request.GET.items() if key not in own]
        rest = request.GET.copy()
        for name in own:
            rest.pop(name, None)
        self.without = f"?{rest.urlencode()}"

    @property
    def names(self) -> list[str]:
        """The names of the fields."""
        return [name for name, _, _ in self.inputs]

    def expected_parameters(self) -> list[str | None]:
        """Return the names of the fields."""
        return [*self.names]

    def has_output(self) -> bool:
        """Return ``True``, because there is always something to type."""
        return True

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Return no choices: the template shows fields."""
        return iter(())

    @property
    def fields(self) -> list[FilterField]:
        """The fields with what was typed."""
        return [
            FilterField(name, gettext(label), kind, self.typed(name))
            for name, label, kind in self.inputs
        ]

    @property
    def is_used(self) -> bool:
        """Whether something was typed."""
        return any(map(self.typed, self.names))

    def typed(self, name: str) -> str:
        """Return what was typed into a field, without the spaces around it."""
        return str(self.used_parameters.get(name) or "").strip()

    @abstractmethod
    def condition(self) -> Q:
        """Return the condition. Raises ``ValidationError``, whose text the filter shows."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows of the condition."""
        if not self.is_used:
            return queryset
        try:
            return queryset.filter(self.condition())
        except ValidationError as error:
            self.problem = " ".join(error.messages)
            return queryset.none()


class DayRangeFilter(TypedFilter):
    """The rows between two days (UTC), of a column that has an index."""

    column: ClassVar[str]

    def condition(self) -> Q:
        """Return the condition from the beginning of the first day to the end of the last."""
        return days(self.column, *map(self.typed, self.names))


def days(column: str, first: str, last: str) -> Q:
    """Return the condition for the days from ``first`` to ``last``, each of which may be "".

    Raises ``ValidationError`` for a text that is no day, and for a last day before the first.
    """
    begins, ends = day(first), day(last)
    found = Q()
    if begins is not None:
        found &= Q(**{f"{column}__gte": begins})
    if ends is not None:
        found &= Q(**{f"{column}__lt": ends + datetime.timedelta(days=1)})
    if begins is not None and ends is not None and ends < begins:
        raise ValidationError("The last day is before the first one. Exchange them.")
    return found


def day(text: str) -> datetime.datetime | None:
    """Return the beginning of a day (UTC), or ``None`` for "". Raises ``ValidationError``."""
    if not text:
        return None
    try:
        found = datetime.datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=datetime.UTC)
    except ValueError as error:
        raise ValidationError(f"{text[:40]!a} is not a day. Use YYYY-MM-DD.") from error
    if not _FIRST_YEAR <= found.year <= _LAST_YEAR:  # identifiers begin with a time since 1970
        raise ValidationError(f"{text} is out of range. Use a day from 1970 to 9998.")
    return found


def day_range(of: str, title: str, parameter: str) -> type[DayRangeFilter]:
    """Return a filter by the days of the column ``of``; ``parameter`` begins its parameters."""

    class DaysOf(DayRangeFilter):
        column = of
        inputs = ((f"{parameter}_from", "From", "date"), (f"{parameter}_to", "To", "date"))

    DaysOf.title = title
    return DaysOf


def _last(value: Any) -> str:
    return str(value[-1] if isinstance(value, list) and value else value or "")
