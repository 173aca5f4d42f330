"""Values of columns, as the database takes and gives them.

Each model has a table of what prepares and what reads its columns, which is made once. Django's
fields do the same for any database, and look for it at each value. So what SQLite needs for times
and identifiers stands here, and everything else is asked of the field.
"""

import datetime
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from operator import attrgetter
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from pki.models.this_connection import this_connection

Preparation = Callable[[Any], Any]
Conversion = Callable[[Any], Any]

# Values of these fields are what every database driver takes.
_PLAIN_FIELDS = (models.CharField, models.TextField, models.IntegerField, models.BooleanField)

_SQLITE, _POSTGRESQL = "sqlite", "postgresql"


def prepared_value(model: type[models.Model], name: str, value: Any) -> Any:
    """Return ``value`` of the column ``name`` (attribute name) as the database takes it."""
    prepare = preparations(model, this_connection().vendor)[name]
    return value if value is None or prepare is None else prepare(value)


def prepared_values(model: type[models.Model], values: Mapping[str, Any]) -> list[Any]:
    """Return values, by attribute name, as the database takes them."""
    prepare_by_name = preparations(model, this_connection().vendor)
    return [
        value if value is None or (prepare := prepare_by_name[name]) is None else prepare(value)
        for name, value in values.items()
    ]


def prepared_row(model: type[models.Model], values: Mapping[str, Any]) -> list[Any]:
    """Return the value of every column in its order. Raises ``KeyError`` for one that is missing.

    ``values`` are by attribute name, and may hold more than that.
    """
    return [
        value if (value := values[name]) is None or prepare is None else prepare(value)
        for name, prepare in preparations(model, this_connection().vendor).items()
    ]


@cache
def preparations(model: type[models.Model], vendor: str) -> dict[str, Preparation | None]:
    """Return what prepares each column's value, by attribute name, or None for a plain value."""
    return {field.attname: _preparation(field, vendor) for field in columns_of(model)}


def _preparation(field: Any, vendor: str) -> Preparation | None:
    kind = _kind(field)
    if isinstance(kind, _PLAIN_FIELDS):
        return None
    if vendor == _SQLITE and isinstance(kind, models.DateTimeField):
        return _sqlite_time
    if vendor == _SQLITE and isinstance(kind, models.UUIDField):
        return attrgetter("hex")
    if vendor == _SQLITE and isinstance(kind, models.BinaryField):
        return None
    if vendor == _POSTGRESQL and isinstance(kind, (models.DateTimeField, models.UUIDField)):
        return None  # the driver takes both
    return partial(_as_the_field_says, field)


def _as_the_field_says(field: Any, value: Any) -> Any:
    # Most of a field's own preparation is for values from forms. These have their types already.
    return field.get_db_prep_value(value, this_connection(), prepared=True)


def _sqlite_time(value: datetime.datetime) -> str:
    """Return the text that Django writes: in UTC, without saying so."""
    return str(value.astimezone(datetime.UTC)).removesuffix("+00:00")


@cache
def conversions(
    model: type[models.Model], without: tuple[str, ...], vendor: str
) -> Sequence[tuple[str, Conversion]]:
    """Return what reads a column, by attribute name, for those whose values are not plain."""
    found = [
        (field.attname, _conversion(field, model, vendor))
        for field in columns_of(model)
        if field.attname not in without
    ]
    return [(name, convert) for name, convert in found if convert is not None]


def _conversion(field: Any, model: type[models.Model], vendor: str) -> Conversion | None:
    kind = _kind(field)
    if vendor == _SQLITE and isinstance(kind, models.DateTimeField):
        return _time_of_sqlite
    if vendor == _SQLITE and isinstance(kind, models.UUIDField):
        return uuid.UUID
    connection: BaseDatabaseWrapper = this_connection()
    expression = field.get_col(model._meta.db_table)
    functions = [
        *connection.ops.get_db_converters(expression),
        *field.get_db_converters(connection),
    ]
    return partial(_as_django_reads, functions, expression) if functions else None


def _as_django_reads(functions: Sequence[Callable[..., Any]], expression: Any, value: Any) -> Any:
    for convert in functions:
        value = convert(value, expression, this_connection())
    return value


def _time_of_sqlite(value: datetime.datetime | str) -> datetime.datetime:
    """Return the time that a column has. It is text only if the column was declared otherwise."""
    time = datetime.datetime.fromisoformat(value) if isinstance(value, str) else value
    return time if time.tzinfo else time.replace(tzinfo=datetime.UTC)


@cache
def columns_of(model: type[models.Model]) -> tuple[Any, ...]:
    """Return the model's fields that are columns, in their order."""
    return tuple(model._meta.concrete_fields)


def _kind(field: Any) -> Any:
    """Return the field, or the one that it refers to, whose values it has."""
    return field.target_field if field.is_relation else field
