"""Numbers that lead to the list of exactly the rows that they count, all counted at once."""

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Model, QuerySet, Value
from django.utils.http import urlencode

from pki.admin.display import list_of


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of rows of a model, and the address of the list that shows them.

    Both are made of the same look-ups, which the list takes from its address.
    """

    model: type[Model]
    lookups: Mapping[str, Any]
    count: int = 0

    @property
    def rows(self) -> QuerySet[Any]:
        """The rows that it counts."""
        return self.model._default_manager.filter(**self.lookups).order_by()

    @property
    def url(self) -> str:
        """The address of the list of these rows."""
        return list_with(self.model, self.lookups)

    def __str__(self) -> str:
        return f"{self.count:,}"


def list_with(model: type[Model], lookups: Mapping[str, Any]) -> str:
    """Return the address of a model's list with Django's look-ups as filters."""
    query = {
        name if "__" in name else f"{name}__exact": _as_text(value)
        for name, value in lookups.items()
    }
    return f"{list_of(model)}?{urlencode(query)}" if query else list_of(model)


def _as_text(value: Any) -> str:
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return ",".join(map(_as_text, value))
    return str(value)


def counted(figures: Iterable[Figure]) -> list[Figure]:
    """Return the figures with their numbers, by one statement for all of them."""
    asked = list(figures)
    if not asked:
        return []
    counts, values = [], []
    for figure in asked:
        rows = figure.rows.values_list(Value(1))
        sql, given = rows.query.get_compiler(connection=connection).as_sql()
        counts.append(f"(SELECT COUNT(*) FROM ({sql}) AS counted)")  # noqa: S608  # the ORM's SQL
        values += given
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(counts)}", values)
        found = cursor.fetchone()
    return [
        Figure(figure.model, figure.lookups, int(count))
        for figure, count in zip(asked, found or (), strict=True)
    ]
