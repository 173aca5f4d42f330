"""The few statements of an enrollment, run as written.

Django's ORM builds the text of a statement anew each time, about half a millisecond each: seven
milliseconds an enrollment, four times everything else in it. What every enrollment runs is
therefore written as SQL, here and in the modules that own the tables; values still go through the
models' fields, so that both databases get what they expect. Everything else uses the ORM.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar

from django.db import connection, models

ModelT = TypeVar("ModelT", bound=models.Model)
Converter = Callable[[Any, Any, Any], Any]


def insert(row: models.Model) -> None:
    """INSERT ``row`` as it is. Raises ``IntegrityError`` when a unique value is taken."""
    statement, fields = _insert_statement(type(row))
    values = [field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields]
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
    row._state.adding = False
    row._state.db = connection.alias


def update(statement: str, values: Sequence[Any]) -> int:
    """Run an UPDATE with values as the database takes them; returns how many rows it changed."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.rowcount)


def fetch(
    model: type[ModelT], condition: str, values: Sequence[Any], *, without: tuple[str, ...] = ()
) -> list[ModelT]:
    """The rows of ``model`` for which ``condition`` holds; ``without`` columns stay unread."""
    statement, names, converters = _select_statement(model, without)
    with connection.cursor() as cursor:
        cursor.execute(f"{statement} WHERE {condition}", values)
        found = cursor.fetchall()
    return [
        model.from_db(connection.alias, names, _converted(list(row), converters)) for row in found
    ]


def fetch_values(statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """The rows of a SELECT, as the database gives them."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def prepared_value(model: type[models.Model], name: str, value: Any) -> Any:
    """``value`` of the field ``name`` as the database takes it."""
    field = model._meta.get_field(name)
    return field.get_db_prep_save(value, connection)  # type: ignore[union-attr]


@cache
def _insert_statement(model: type[models.Model]) -> tuple[str, list[Any]]:
    fields = list(model._meta.concrete_fields)
    columns = ", ".join(f'"{field.column}"' for field in fields)
    places = ", ".join(["%s"] * len(fields))
    # Only names of our own tables and columns are pasted in, here and below.
    return f'INSERT INTO "{model._meta.db_table}" ({columns}) VALUES ({places})', fields  # noqa: S608


@cache
def _select_statement(
    model: type[models.Model], without: tuple[str, ...]
) -> tuple[str, list[str], list[tuple[int, list[Converter], Any]]]:
    fields = [field for field in model._meta.concrete_fields if field.attname not in without]
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


def _converted(row: list[Any], converters: list[tuple[int, list[Converter], Any]]) -> list[Any]:
    for index, found, expression in converters:
        for convert in found:
            row[index] = convert(row[index], expression, connection)
    return row
