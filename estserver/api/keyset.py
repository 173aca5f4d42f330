"""Pages of a list along an index: a page begins where the one before has ended.

Nothing is counted and nothing skipped, so the last page of a fleet takes as long as the first. A
cursor is the place of a page's last row, together with the filters of the list.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet

from estserver.api.problems import APIRefusal
from estserver.api.reasons import APIReason
from pki.record.bounded_counts import found_first


@dataclass(frozen=True, slots=True)
class Order:
    """A column that leads an index, and its direction. The primary key decides between equals."""

    column: str = "pk"
    is_descending: bool = True

    @classmethod
    def of(cls, text: str) -> "Order":
        """Return the order that Django writes as ``-not_after``."""
        return cls(text.lstrip("-"), text.startswith("-"))

    @property
    def columns(self) -> tuple[str, ...]:
        """As Django's ``order_by`` takes it."""
        sign = "-" if self.is_descending else ""
        return tuple(f"{sign}{name}" for name in dict.fromkeys((self.column, "pk")))

    def after(self, value: Any, key: Any) -> Q:
        """Return the condition for the rows behind a row, as an index reads it."""
        beyond, from_there = ("lt", "lte") if self.is_descending else ("gt", "gte")
        if self.column == "pk":
            return Q(**{f"pk__{beyond}": key})
        is_behind = Q(**{f"{self.column}__{beyond}": value}) | Q(**{f"pk__{beyond}": key})
        return Q(**{f"{self.column}__{from_there}": value}) & is_behind


NEWEST_FIRST: Final = Order()


@dataclass(frozen=True, slots=True)
class Selection:
    """The rows that a list's filters leave, and how a page of them is read fast."""

    rows: QuerySet[Any]
    order: Order = NEWEST_FIRST
    is_found_first: bool = False
    """Whether other indexes than the order's find the rows. Up to ``MOST_COUNTED`` are sorted."""

    @property
    def sorted_rows(self) -> QuerySet[Any]:
        """The rows in their order."""
        if self.is_found_first:
            return found_first(_bare(self.rows), self.rows, self.order.columns)
        return self.rows.order_by(*self.order.columns)


def _bare(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Return all rows of the table, read with the same columns and relations."""
    every: QuerySet[Any] = rows.model._default_manager.all()
    every.query.deferred_loading = rows.query.deferred_loading
    every.query.select_related = rows.query.select_related
    return every


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of one page, and where the next one begins; "" behind the last."""

    rows: Sequence[Any]
    next_cursor: str


def page_of(selection: Selection, *, limit: int, cursor: str, filters: Mapping[str, Any]) -> Page:
    """Return a page. Raises ``APIRefusal`` for a cursor of a list with other filters."""
    order, digest = selection.order, _digest(selection, filters)
    rows = selection.sorted_rows
    if cursor:
        rows = rows.filter(order.after(*_place(cursor, digest, rows.model, order)))
    found = list(rows[: limit + 1])
    if len(found) <= limit:
        return Page(found, "")
    last = found[limit - 1]
    value = None if order.column == "pk" else getattr(last, order.column)
    return Page(found[:limit], _encoded([digest, _text(value), str(last.pk)]))


def _digest(selection: Selection, filters: Mapping[str, Any]) -> str:
    said = [
        selection.rows.model._meta.label_lower,
        selection.order.columns,
        sorted(filters.items()),
    ]
    return hashlib.sha256(json.dumps(said, default=str).encode()).hexdigest()[:16]


def _text(value: Any) -> str | None:
    return None if value is None else getattr(value, "isoformat", value.__str__)()


def _encoded(place: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def _place(cursor: str, digest: str, model: type[Model], order: Order) -> tuple[Any, Any]:
    """Return value and key of the row behind which the page begins."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        of_list, value, key = json.loads(base64.urlsafe_b64decode(padded.encode()))
        if of_list != digest:
            raise _wrong_cursor("It is of a list with other filters.")
        pk: Any = model._meta.pk
        column: Any = pk if order.column == "pk" else model._meta.get_field(order.column)
        return (None if column is pk else column.to_python(value)), pk.to_python(key)
    except (ValueError, TypeError, binascii.Error, ValidationError) as error:
        raise _wrong_cursor("It cannot be read.") from error


def _wrong_cursor(found: str) -> APIRefusal:
    message = f"{found} Use `next_cursor` of the page before, with the same filters."
    return APIRefusal(APIReason.INPUT_INVALID, errors=[{"field": "cursor", "message": message}])
