"""Review of our migrations: what Aurora DSQL refuses is found before a release.

    python -m tests.estserver.dsql.review

A cluster that is empty gets its tables from the models, so it never runs the migrations of before
DSQL. Later ones run as they are (docs/databases.md). ``make check`` runs this beside
``makemigrations --check``. The gate's rules decide (`tests.support.dsql.statements`).
"""

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from psycopg.sql import quote

from tests.support.dsql.refusals import Refusal
from tests.support.dsql.statements import parse

BEFORE_DSQL: Mapping[str, str] = {
    "estserver": "0002_truststore_push",
    "iotprov": "0003_compromised_keys",
    "pki": "0012_names_taken",
}
"""The last migration of each app that no cluster runs."""

_ADVICE = (
    (
        re.compile(r"ADD COLUMN .*\b(DEFAULT|NOT NULL|UNIQUE|REFERENCES|GENERATED)\b", re.DOTALL),
        "Add a column that may be NULL and has nothing else, fill it in chunks in a migration of "
        "its own, and give it its unique rule by an index.",
    ),
    (
        re.compile(r"ALTER COLUMN .*\bTYPE\b", re.DOTALL),
        "Add a column of the new type, fill it in chunks, and use it in place of the old one.",
    ),
    (
        re.compile(r"ALTER COLUMN .*\bSET NOT NULL\b", re.DOTALL),
        "Leave the column as it is, and let the code refuse None.",
    ),
)
_ELSE = "Make the change out of what docs/databases.md says a cluster takes."


def review(loader: Any, connection: Any) -> Iterator[str]:
    """Yield a sentence for each statement of a later migration that a cluster would refuse.

    ``connection`` is of our backend. It is never opened.
    """
    loader.connection = connection
    for key in sorted(_later(loader)):
        migration = loader.graph.nodes[key]
        yield from _of_rows(migration)
        try:
            collected = loader.collect_sql([(migration, False)])
        except Exception as error:  # noqa: BLE001  # whatever an operation raises without a database
            yield (
                f"The migration {key[0]}.{key[1]} cannot be written as SQL without a database "
                f"({type(error).__name__}: {error}). {_ELSE}"
            )
            continue
        for statement in collected:
            yield from _of_statement(f"{key[0]}.{key[1]}", statement)


def _later(loader: Any) -> Iterator[tuple[str, str]]:
    """Yield our migrations that clusters run: those that no cluster's first schema replaces."""
    for app, last in BEFORE_DSQL.items():
        before = set(loader.graph.forwards_plan((app, last)))
        yield from (key for key in loader.graph.nodes if key[0] == app and key not in before)


def _of_rows(migration: Any) -> Iterator[str]:
    from django.db.migrations.operations import RunPython, RunSQL

    for operation in migration.operations:
        if isinstance(operation, RunPython | RunSQL) and len(migration.operations) > 1:
            yield (
                f"The migration {migration.app_label}.{migration.name} changes rows and something "
                "else. A cluster that fails half-way leaves the first half. Change rows in a "
                "migration of its own."
            )
            return
        if isinstance(operation, RunPython) and operation.atomic is not False:
            yield (
                f"The migration {migration.app_label}.{migration.name} changes rows in one "
                "transaction, and a cluster takes 3,000 in one. Give RunPython atomic=False, and "
                "change the rows in chunks with in_write_transactions."
            )


def _of_statement(name: str, statement: str) -> Iterator[str]:
    lines = [line for line in statement.splitlines() if not line.startswith("--")]
    sql = "\n".join(lines).strip().rstrip(";")
    try:
        if sql:
            parse(sql)
    except Refusal as refusal:
        advice = next((text for pattern, text in _ADVICE if pattern.search(sql)), _ELSE)
        yield (
            f"The migration {name} has a statement that Aurora DSQL refuses: {sql}. "
            f"It says: {refusal.message} ({refusal.page}). {advice}"
        )


def dsql_connection() -> Any:
    """Return a connection of our backend to a cluster that does not exist."""
    from pathlib import Path

    from django.db import ConnectionHandler

    from estserver.config.database import database_settings

    url = "dsql://est_admin@review.dsql.eu-central-1.on.aws/postgres"
    settings = database_settings(url, data_dir=Path())
    connection: Any = ConnectionHandler({"default": settings})["default"]
    connection.ops.compose_sql = _composed
    return connection


def _composed(statement: str, parameters: Sequence[Any] | None) -> str:
    """Return a statement with its parameters in it, as Django writes it by an open connection."""
    return statement % tuple(quote(value) for value in parameters or ())


def main() -> int:
    """Print what is refused; return 1 if anything is."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "estserver.settings.admin")
    import django
    from django.db.migrations.loader import MigrationLoader

    django.setup()
    found = [*review(MigrationLoader(None), dsql_connection())]
    sys.stdout.writelines(f"{sentence}\n" for sentence in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
