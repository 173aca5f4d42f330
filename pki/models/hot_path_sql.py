"""The few statements that every enrollment runs, written as SQL.

Django's ORM builds the text of a statement anew each time, which takes longer than everything else
in an enrollment (``python -m bench.statements`` measures it). So what every enrollment runs is
written as SQL, here and in the modules that own the tables. ``hot_path_values`` has how values go
to the database and come from it, and ``hot_path_rows`` how rows are made. Everything else uses the
ORM.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from operator import attrgetter, methodcaller
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, Error, InterfaceError, OperationalError, models

from pki.models import round_trips
from pki.models.hot_path_rows import loaded_row
from pki.models.hot_path_values import columns_of, conversions, prepared_row
from pki.models.this_connection import this_connection

ModelT = TypeVar("ModelT", bound=models.Model)


def insert(row: models.Model) -> None:
    """Insert ``row``, of which every column is loaded. Raises what ``insert_values`` raises."""
    insert_values(type(row), vars(row))
    row._state.adding = False
    row._state.db = DEFAULT_DB_ALIAS


def insert_values(model: type[models.Model], values: Mapping[str, Any]) -> None:
    """Insert a row of ``model`` from values of every column, by attribute name.

    Raises ``IntegrityError`` when a unique value is taken, or lets the transaction raise it later
    (``pki.models.round_trips``).
    """
    connection = this_connection()
    prepared = prepared_row(model, values)
    statement = _insert_statement(model)
    if not round_trips.put_off(connection, (statement, prepared)):
        _run(connection, statement, prepared, _nothing)


def update(statement: str, values: Sequence[Any]) -> int:
    """Run an UPDATE with values as the database takes them, and return how many rows it changed."""
    return int(_run(this_connection(), statement, values, _row_count))


def can_put_off() -> bool:
    """Return whether ``update_later`` may be called: in a write transaction on PostgreSQL."""
    return round_trips.is_putting_off(this_connection())


def update_later(statement: str, values: Sequence[Any]) -> None:
    """Run an UPDATE with what is sent next, at the latest with COMMIT.

    The transaction fails with ``round_trips.NothingChanged`` if it changes no row.
    """
    connection = this_connection()
    if not round_trips.put_off(connection, (round_trips.must_change(statement), values)):
        raise AssertionError("no write transaction puts statements off: ask can_put_off first")


@dataclass(frozen=True, slots=True)
class Look:
    """A SELECT, and how its rows are read."""

    statement: str
    values: Sequence[Any]
    read: Callable[[list[tuple[Any, ...]]], list[Any]]


def look(
    model: type[ModelT], condition: str, values: Sequence[Any], *, without: tuple[str, ...] = ()
) -> Look:
    """Return the look at what ``fetch`` fetches."""
    vendor = this_connection().vendor
    statement, names = _select_statement(model, without, condition)
    converted = conversions(model, without, vendor)

    def read(found: list[tuple[Any, ...]]) -> list[ModelT]:
        rows = []
        for values in found:
            columns = dict(zip(names, values, strict=True))
            for name, convert in converted:
                if columns[name] is not None:
                    columns[name] = convert(columns[name])
            rows.append(loaded_row(model, columns))
        return rows

    return Look(statement, values, read)


def fetch(
    model: type[ModelT], condition: str, values: Sequence[Any], *, without: tuple[str, ...] = ()
) -> list[ModelT]:
    """Return the rows of ``model`` that meet ``condition``. ``without`` columns stay unread."""
    (rows,) = fetch_together(look(model, condition, values, without=without))
    return rows


def fetch_values(statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return the rows of a SELECT, as the database gives them."""
    rows: list[tuple[Any, ...]]
    (rows,) = fetch_together(Look(statement, values, list))
    return rows


def fetch_together(*looks: Look) -> list[list[Any]]:
    """Return what each look reads. They go to PostgreSQL together.

    The first of a request outside of a transaction is also the health check of a connection that
    was kept, because a look can be repeated.
    """
    connection = this_connection()
    if not round_trips.takes_several(connection) or round_trips.is_watched(connection):
        return [one.read(_run(connection, one.statement, one.values, _all_rows)) for one in looks]
    statements = [(one.statement, one.values) for one in looks]
    is_kept = connection.connection is not None and connection.health_check_enabled
    is_first = is_kept and not connection.health_check_done and not connection.in_atomic_block
    connection.health_check_done = connection.health_check_done or is_first
    connection.ensure_connection()
    try:
        cursors = round_trips.send(connection, statements)
    except Error as error:
        is_broken = is_first and isinstance(error, (OperationalError, InterfaceError))
        if is_broken and not connection.is_usable():
            connection.close()
            connection.ensure_connection()
        elif connection.in_atomic_block or not round_trips.may_be_repeated(error):
            raise
        cursors = round_trips.send(connection, statements)
    return [one.read(cursor.fetchall()) for one, cursor in zip(looks, cursors, strict=True)]


_all_rows: Callable[[Any], Any] = methodcaller("fetchall")
_row_count: Callable[[Any], Any] = attrgetter("rowcount")


def _nothing(cursor: Any) -> None:
    pass


def _run(
    connection: Any,
    statement: str,
    values: Sequence[Any],
    take: Callable[[Any], Any],
) -> Any:
    """Run ``statement`` and return what ``take`` takes from the cursor.

    It uses the driver's own cursor, because Django's layers around one take as long as SQLite takes
    for the statement. Errors are Django's all the same. With query logs or wrappers of ``execute``
    the statement goes through Django's cursor, so that they see it.
    """
    if round_trips.is_watched(connection):
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            return take(cursor)
    is_unchecked = connection.health_check_enabled and not connection.health_check_done
    if connection.connection is None or is_unchecked:
        connection.close_if_health_check_failed()  # as Django does: the server may have restarted
        connection.ensure_connection()
    if connection.vendor == "sqlite":
        try:
            return take(connection.connection.execute(_for_sqlite(statement), values))
        except connection.Database.Error:
            with connection.wrap_database_errors:
                raise
    (cursor,) = round_trips.send(connection, [(statement, values)])
    return take(cursor)


@lru_cache(maxsize=256)
def _for_sqlite(statement: str) -> str:
    """Return the statement with SQLite's place holders. None here has a literal "%"."""
    return statement.replace("%s", "?")


@cache
def _insert_statement(model: type[models.Model]) -> str:
    columns = ", ".join(f'"{field.column}"' for field in columns_of(model))
    places = ", ".join(["%s"] * len(columns_of(model)))
    # Only names of this project's tables and columns are pasted in, here and below.
    return f'INSERT INTO "{model._meta.db_table}" ({columns}) VALUES ({places})'  # noqa: S608


@lru_cache(maxsize=256)
def _select_statement(
    model: type[models.Model], without: tuple[str, ...], condition: str
) -> tuple[str, tuple[str, ...]]:
    fields = [field for field in columns_of(model) if field.attname not in without]
    columns = ", ".join(f'"{field.column}"' for field in fields)
    names = tuple(field.attname for field in fields)
    statement = f'SELECT {columns} FROM "{model._meta.db_table}" WHERE {condition}'  # noqa: S608
    return statement, names
