"""Lists that take as long for a fleet as for a few devices, whatever they are narrowed to.

To count a fleet to its end takes longer than to show its page, so a list counts to
``MOST_COUNTED``. To sort a fleet takes longer still, so there are three cases:

- Nothing narrows the list: it is sorted along an index, so only columns that lead one offer it.
- Filters or a search leave at most ``MOST_COUNTED`` rows: these are found first and then sorted, by
  any column. The database is not left to walk an index of the sorted column in search of them.
- They leave more: filters show the rows along the filter's own order, and a search shows some
  ``MOST_COUNTED`` of its results and says that there are more.
"""

from typing import TYPE_CHECKING, Any

from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.core.exceptions import FieldDoesNotExist
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.utils.functional import cached_property

from pki.record.bounded_counts import MOST_COUNTED, count_in_words, count_up_to, found_first

if TYPE_CHECKING:
    from django.http import HttpRequest

# A list counts MOST_COUNTED rows, and its pages reach these. Filters and search lead further.
MOST_LOOKED_AT = 50_000
"""Rows of which a list looks at each, where a condition has no index: the newest ones.

An index for each condition would cost every enrollment another page to write.
"""


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts rows up to one more than ``MOST_COUNTED``."""

    @cached_property
    def count(self) -> int:
        """How many rows there are, at most one more than are counted."""
        known: int | None = getattr(self.object_list, "counted", None)
        return _counted(self.object_list) if known is None else known  # type: ignore[arg-type]


def _counted(rows: QuerySet[Any]) -> int:
    return count_up_to(rows, MOST_COUNTED)


def newest(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Return the newest ``MOST_LOOKED_AT`` of ``rows``, for a condition that has no index."""
    return rows.filter(newest_condition(rows))


def newest_condition(rows: QuerySet[Any]) -> Q:
    """Return the condition for the newest ``MOST_LOOKED_AT`` of ``rows``.

    Rows are ordered by time, or by a primary key that begins with it (``IdentifierField``).
    """
    by = rows.model._meta.ordering[0].lstrip("-")
    values = rows.order_by(f"-{by}").values_list(by, flat=True)
    oldest = list(values[MOST_LOOKED_AT - 1 : MOST_LOOKED_AT])
    return Q(**{f"{by}__gte": oldest[0]}) if oldest else Q()


def leads_an_index(model: type[Model], column: str) -> bool:
    """Return whether rows can be read in the order of ``column`` without sorting them."""
    options = model._meta
    try:
        field = options.pk if column == "pk" else options.get_field(column)
    except FieldDoesNotExist:
        return False
    if field.is_relation:  # the rows of another table decide the order
        return False
    if any(getattr(field, name, False) for name in ("unique", "db_index")):
        return True
    leading = [one.fields[0].lstrip("-") for one in _plain(options.indexes)]
    leading += [one.fields[0] for one in _plain(options.constraints)]
    return column in leading


def _plain(indexes: Any) -> list[Any]:
    """Return the indexes and unique rules that hold all rows."""
    return [one for one in indexes if getattr(one, "fields", ()) and one.condition is None]


class BoundedChangeList(ChangeList):
    """A list that says when there are more rows than were counted, and sorts what is fast."""

    everything: QuerySet[Any]
    """All rows that filters and search leave, for what does not stop at ``MOST_COUNTED``."""
    _sorts_everything = False
    """Whether the rows are so few that each column of the table may be sorted by."""

    @property
    def count_in_words(self) -> str:
        """How many rows there are, for people."""
        return count_in_words(self.result_count, MOST_COUNTED)

    @property
    def _is_narrowed(self) -> bool:
        return bool(self.query or self.get_filters_params())

    def get_queryset(self, request: "HttpRequest", exclude_parameters: Any = None) -> QuerySet[Any]:
        """Return the rows in an order that is read fast, together with their number."""
        found: QuerySet[Any] = super().get_queryset(request, exclude_parameters).order_by()
        count = _counted(found)
        self._sorts_everything = count <= MOST_COUNTED or bool(self.query)
        columns: list[Any] = [*self.list_display]
        self.sortable_by = [name for name in columns if self.get_ordering_field(name)]
        ordering = self.get_ordering(request, found)
        self.everything = found.order_by(*ordering)
        shown = self.everything
        if self._is_narrowed and self._sorts_everything:
            shown = found_first(self.root_queryset, found, ordering)
            if not shown.query.select_related:
                shown = self.apply_select_related(shown)
        shown.counted = count  # type: ignore[attr-defined]  # for BoundedPaginator
        return shown

    def get_ordering(self, request: "HttpRequest", queryset: QuerySet[Any]) -> list[Any]:
        """Return the chosen order; else that of the first filter that has one, or of the list."""
        if ORDER_VAR in self.params and any(
            self.get_ordering_field(self.list_display[place])
            for place in self.get_ordering_field_columns()
            if place < len(self.list_display)
        ):
            return super().get_ordering(request, queryset)
        own = [order for spec in self.filter_specs if (order := getattr(spec, "order", ()))]
        default = self.model_admin.get_ordering(request) or self.lookup_opts.ordering
        return self._get_deterministic_ordering(own[0] if own else default)

    def get_ordering_field(self, field_name: Any) -> Any:
        """Return the column that is sorted by; ``None`` if that would take too long."""
        column = super().get_ordering_field(field_name)
        if not isinstance(column, str):
            return column if self._sorts_everything else None
        if self._sorts_everything:
            return column if _is_column(self.model, column) else None
        is_fast = not self._is_narrowed and leads_an_index(self.model, column.lstrip("-"))
        return column if is_fast else None

    def _get_deterministic_ordering(self, ordering: Any) -> list[Any]:
        """Return ``ordering`` with the primary key in the direction of what precedes it.

        An index of two columns is read in both directions, but not in one for each column.
        """
        ordering = [*ordering]
        last = ordering[-1] if ordering else "-pk"
        if any(str(one).lstrip("-") in ("pk", self.lookup_opts.pk.name) for one in ordering):
            return [*ordering]
        is_descending = last.startswith("-") if isinstance(last, str) else True
        return [*ordering, "-pk" if is_descending else "pk"]


def _is_column(model: type[Model], path: str) -> bool:
    """Return whether ``path`` leads to a column, and not to a property of a row."""
    first = path.lstrip("-").partition("__")[0]
    try:
        return first == "pk" or model._meta.get_field(first).concrete
    except FieldDoesNotExist:
        return False
