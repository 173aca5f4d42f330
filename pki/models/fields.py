"""Kinds of columns that several tables have."""

import datetime
import secrets
import time
import uuid
from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:  # Django's fields are generic for type checkers only
    _UUIDField = models.UUIDField[uuid.UUID | str, uuid.UUID]
    _CharField = models.CharField[str, str]
    _NullableCharField = models.CharField[str | None, str | None]
else:
    _UUIDField = models.UUIDField
    _CharField = _NullableCharField = models.CharField


def new_identifier() -> uuid.UUID:
    """Return a UUID of version 7 (RFC 9562 5.7): 48 bits of milliseconds, then random ones.

    So new rows are side by side in a table's index, instead of each on a page of its own.
    """
    milliseconds = time.time_ns() // 1_000_000
    bits = milliseconds << 80 | secrets.randbits(80)
    bits = bits & ~(0xF << 76) | 0x7 << 76  # version
    bits = bits & ~(0x3 << 62) | 0x2 << 62  # variant
    return uuid.UUID(int=bits)


def first_identifier(at: datetime.datetime) -> uuid.UUID:
    """Return the lowest value that ``new_identifier`` returns from the time ``at`` on."""
    return uuid.UUID(int=int(at.timestamp() * 1000) << 80)


class IdentifierField(_UUIDField):
    """A UUID as primary key.

    Distributed databases (Aurora DSQL, CockroachDB, YugabyteDB) have no cheap sequences, and a
    key that is made here is known without a round trip.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("primary_key", True)
        kwargs.setdefault("default", new_identifier)
        kwargs.setdefault("editable", False)
        super().__init__(*args, **kwargs)


class Sha256Field(_CharField):
    """A SHA-256 digest in lower-case hex."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["max_length"] = 64
        super().__init__(*args, **kwargs)


class UniqueOrNullField(_NullableCharField):
    """Text that only one row may have, while any number of rows may have none.

    This expresses "only one" on every database. Not all of them have partial indexes and locks.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs |= {"null": True, "blank": True, "unique": True}
        super().__init__(*args, **kwargs)


class NoIndex(models.Func):
    """A column that is compared row by row, because others of the condition have better indexes.

    SQLite keeps no statistics unless somebody runs ANALYZE. It takes every equality for rare, and
    then reads all issued certificates to find those of one name. A unary plus keeps it from using
    the index of the column
    (https://www.sqlite.org/optoverview.html#disqualifying_where_clause_terms_using_unary_).
    """

    arity = 1
    template = "%(expressions)s"

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        """Return the column with the plus in front."""
        return self.as_sql(compiler, connection, template="+%(expressions)s", **context)


class SortedLast(models.Func):
    """A column that a few rows are sorted by once they are found.

    PostgreSQL takes it that the rows which meet a condition lie evenly in an index. To find the
    newest fifty of ten thousand old ones, it would then walk the index of the order backwards
    through all that is newer. No index has the order of an expression.
    """

    arity = 1
    template = "%(expressions)s"

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        """Return an expression that has the column's values."""
        template = "COALESCE(%(expressions)s, %(expressions)s)"
        return self.as_sql(compiler, connection, template=template, **context)
