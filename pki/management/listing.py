"""The base of the commands that list rows, with the search and the filters of the console."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from django.contrib.admin.views.main import SEARCH_VAR
from django.core.management.base import CommandParser
from django.db.models import Model, QuerySet

from pki.operators.command import OperatorCommand, misuse
from pki.operators.output import Row

SHOWN = 50
"""Rows that are listed without ``--limit``."""


class ListCommand(OperatorCommand, ABC):
    """Lists the rows of one model, as its list in the console does."""

    model: ClassVar[type[Model]]
    columns: ClassVar[tuple[str, ...]]
    """The facts of a row that are for people. JSON has all of them."""
    filters: ClassVar[Mapping[str, tuple[str, str]]] = {}
    """By option, without the dashes: the filter's parameter in the console, and the help."""
    has_search: ClassVar[bool] = True
    empty: ClassVar[str] = "Nothing is on record that fits."

    @abstractmethod
    def facts(self, row: Any) -> Row:
        """Return a row as JSON values."""

    def parameter(self, name: str, value: str) -> str:
        """Return what the console's filter ``name`` takes for an option's value."""
        return value

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the search term, the filters and the number of rows."""
        if self.has_search:
            parser.add_argument(
                "term", nargs="?", default="", metavar="TERM", help="what the search box takes"
            )
        for option, (_, words) in self.filters.items():
            parser.add_argument(f"--{option}", default="", metavar="VALUE", help=words)
        parser.add_argument(
            "--filter",
            default="",
            metavar="ADDRESS",
            dest="query",
            help="the filters of a list in the console: its address, or what stands after the ?",
        )
        add_limit(parser)

    def rows(self, options: Mapping[str, Any]) -> QuerySet[Any]:
        """Return the rows that the options leave. Raises ``OperatorError``."""
        # Imported here, so that a start of another command loads no page.
        from pki.admin.filtered import rows_of_query

        query: dict[str, str] = {}
        if options.get("term"):
            query[SEARCH_VAR] = options["term"]
        for option, (parameter, _) in self.filters.items():
            if given := options[option.replace("-", "_")]:
                query[parameter] = self.parameter(option, given)
        return rows_of_query(self.model, options["query"], query)

    def handle(self, *args: Any, limit: int, **options: Any) -> None:
        """Print the rows, and whether there are more."""
        if limit < 0:
            misuse("--limit is a number of rows, or 0 for all of them.")
        found = self.rows(options)
        some = found[: limit + 1] if limit else found
        self._is_shortened = False
        self.print_rows(self.columns, self._facts(some, limit), empty=self.empty)
        if self._is_shortened and not self.is_json:
            self.say(f"More than {limit} fit. Narrow the list, or give --limit 0 for all of them.")

    def _facts(self, rows: QuerySet[Any], limit: int) -> Iterator[Row]:
        for number, row in enumerate(rows.iterator() if not limit else rows, 1):
            if limit and number > limit:
                self._is_shortened = True
                return
            yield self.facts(row)


def add_limit(parser: CommandParser) -> None:
    """Add ``--limit``."""
    parser.add_argument(
        "--limit",
        type=int,
        default=SHOWN,
        metavar="N",
        help=f"how many rows, 0 for all (default: {SHOWN})",
    )
