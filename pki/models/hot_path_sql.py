"""The few statements that every enrollment runs, written as SQL.

Django's ORM builds the text of a statement anew each time, which takes longer than everything else
in an enrollment (``python -m bench.statements`` measures it). So what every enrollment runs is
written as SQL, here and in the modules that own the tables. Values still go through the models'
fields, so each database gets what it expects. Everything else uses the ORM.
"""

import copy
import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from operator import attrgetter, methodcaller
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, Error, InterfaceError, OperationalError, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

from pki.models import round_trips

ModelT = TypeVar("ModelT", bound=models.Model)
Converter = Callable[[Any, Any, Any], Any]
Preparation = Callable[[Any, BaseDatabaseWrapper], Any]

# Values of these fields are what every database driver takes.
_PLAIN_FIELDS = (models.CharField, models.TextField, models.IntegerField, models.BooleanField)


def new_row(model: type[ModelT], values: Mapping[str, Any]) -> ModelT:
    """Return a row, not saved yet, from values by attribute name. Other columns get their defaults.

    It is what ``model(**values)`` returns, without that method's work for keyword arguments.
    """
    row = model.from_db(
        None,
        [name for name, _ in _defaults(model)],
        [values[name] if name in values else default() for name, default in _defaults(model)],
    )
    row._state.adding = True
    return row


def copy_of(row: ModelT) -> ModelT:
    """Return a copy of ``row`` for other values of its columns. Related rows are shared.

    ``copy.copy`` takes the way over what a model is pickled as, which takes many times as long.
    """
    copied = type(row).__new__(type(row))
    vars(copied).update(vars(row), _state=copy.copy(row._state))
    copied._state.fields_cache = row._state.fields_cache.copy()
    return copied


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
    connection = connections[DEFAULT_DB_ALIAS]
    prepared = [
        value if (value := values[name]) is None or prepare is None else prepare(value, connection)
        for name, prepare in _preparations(model, connection.vendor).items()
    ]
    statement = _insert_statement(model)
    if not round_trips.put_off(connection, (statement, prepared)):
        _run(connection, statement, prepared, _nothing)


def update(statement: str, values: Sequence[Any]) -> int:
    """Run an UPDATE with values as the database takes them, and return how many rows it changed."""
    return int(_run(connections[DEFAULT_DB_ALIAS], statement, values, _row_count))


def can_put_off() -> bool:
    """Return whether ``update_later`` may be called: in a write transaction on PostgreSQL."""
    return round_trips.is_putting_off(connections[DEFAULT_DB_ALIAS])


def update_later(statement: str, values: Sequence[Any]) -> None:
    """Run an UPDATE with what is sent next, at the latest with COMMIT.

    The transaction fails with ``round_trips.NothingChanged`` if it changes no row.
    """
    connection = connections[DEFAULT_DB_ALIAS]
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
    connection = connections[DEFAULT_DB_ALIAS]
    statement, names, converters = _select_statement(model, without, connection.vendor)

    def read(found: list[tuple[Any, ...]]) -> list[ModelT]:
        rows = []
        for row in map(list, found):
            for index, functions, expression in converters:
                for convert in functions:
                    row[index] = convert(row[index], expression, connection)
            rows.append(model.from_db(DEFAULT_DB_ALIAS, names, row))
        return rows

    return Look(f"{statement} WHERE {condition}", values, read)


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
    connection: Any = connections[DEFAULT_DB_ALIAS]  # the stubs do not know health checks
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
    connection: BaseDatabaseWrapper,
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
    connection.close_if_health_check_failed()  # as Django does: the server may have restarted
    connection.ensure_connection()
    if connection.vendor == "sqlite":
        statement = statement.replace("%s", "?")  # no statement here has a literal "%"
        with connection.wrap_database_errors:
            return take(connection.connection.execute(statement, values))
    (cursor,) = round_trips.send(connection, [(statement, values)])
    return take(cursor)


def prepared_value(model: type[models.Model], name: str, value: Any) -> Any:
    """Return ``value`` of the field ``name`` as the database takes it."""
    return prepared_values(model, {name: value})[0]


def prepared_values(model: type[models.Model], values: Mapping[str, Any]) -> list[Any]:
    """Return values, by field name, as the database takes them."""
    connection = connections[DEFAULT_DB_ALIAS]
    preparations = _preparations(model, connection.vendor)
    return [
        value
        if value is None or (prepare := preparations[name]) is None
        else prepare(value, connection)
        for name, value in values.items()
    ]


@cache
def _preparations(model: type[models.Model], vendor: str) -> dict[str, Preparation | None]:
    """Return what prepares each column's value, by attribute name, or None for a plain value."""
    return {field.attname: _preparation(field, vendor) for field in _fields(model)}


def _preparation(field: Any, vendor: str) -> Preparation | None:
    if isinstance(field, _PLAIN_FIELDS):
        return None
    if isinstance(field, models.DateTimeField) and vendor == "sqlite":
        return _sqlite_time
    # Most of a field's own preparation is for values from forms. These have their types already.
    return partial(field.get_db_prep_value, prepared=True)


def _sqlite_time(value: datetime.datetime, _: BaseDatabaseWrapper) -> str:
    """Return the text that Django writes. It takes as long for it as the rest of an INSERT."""
    return str(value.astimezone(datetime.UTC).replace(tzinfo=None))


@cache
def _fields(model: type[models.Model]) -> tuple[Any, ...]:
    return tuple(model._meta.concrete_fields)


@cache
def _defaults(model: type[models.Model]) -> tuple[tuple[str, Callable[[], Any]], ...]:
    return tuple((field.attname, field.get_default) for field in _fields(model))


@cache
def _insert_statement(model: type[models.Model]) -> str:
    columns = ", ".join(f'"{field.column}"' for field in _fields(model))
    places = ", ".join(["%s"] * len(_fields(model)))
    # Only names of this project's tables and columns are pasted in, here and below.
    return f'INSERT INTO "{model._meta.db_table}" ({columns}) VALUES ({places})'  # noqa: S608


@cache
def _select_statement(
    model: type[models.Model], without: tuple[str, ...], vendor: str
) -> tuple[str, list[str], list[tuple[int, list[Converter], Any]]]:
    connection = connections[DEFAULT_DB_ALIAS]
    fields = [field for field in _fields(model) if field.attname not in without]
    columns = ", ".join(f'"{field.column}"' for field in fields)
    converters = []
    for index, field in enumerate(fields):
        expression = field.get_col(model._meta.db_table)
        found = [
            *connection.ops.get_db_converters(expression),
            *field.get_db_converters(connection),
        ]
        if found:
            converters.append((index, found, expression))
    names = [field.attname for field in fields]
    return f'SELECT {columns} FROM "{model._meta.db_table}"', names, converters  # noqa: S608
