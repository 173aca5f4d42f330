"""Statements that PostgreSQL runs as they are, without compiling them first."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def without_compiling() -> Iterator[None]:
    """Run the statements of the block without PostgreSQL's compiler.

    PostgreSQL compiles a statement whose plan has a high cost, which takes up to two seconds. The
    cost is that of every row, also where the statement ends after the rows of one page.
    https://www.postgresql.org/docs/current/jit-decision.html
    """
    if not getattr(connection.features, "compiles_statements", connection.vendor == "postgresql"):
        yield
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL jit = off")
        yield
