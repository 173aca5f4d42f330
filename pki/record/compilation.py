"""Statements that PostgreSQL is not to compile before it runs them."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def without_compiling() -> Iterator[None]:
    """Have the statements of the block interpreted, because they end with a page of rows.

    PostgreSQL compiles a statement whose plan looks expensive. It takes up to two seconds for that,
    and counts the cost of rows that nobody asks for.
    https://www.postgresql.org/docs/current/jit-decision.html
    """
    if not getattr(connection.features, "compiles_statements", connection.vendor == "postgresql"):
        yield
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL jit = off")
        yield
