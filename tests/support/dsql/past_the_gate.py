"""What a test does to a cluster that no client can do: it goes to PostgreSQL, past the gate."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from django.db import connection

from tests.support.postgresql import DIRECTORY_VARIABLE, PostgreSQLServer

IS_DSQL = connection.settings_dict["ENGINE"] == "estserver.dsql"
"""Whether these tests run on a cluster."""


def run(*statements: str) -> None:
    """Run statements as PostgreSQL's superuser, in the schema of the product's tables."""
    from estserver.dsql.login import SCHEMA

    server = PostgreSQLServer(Path(os.environ[DIRECTORY_VARIABLE]))
    with psycopg.connect(server.url(), autocommit=True) as database:
        database.execute(f"SET search_path = {SCHEMA}")  # type: ignore[arg-type]
        for statement in statements:
            database.execute(statement)  # type: ignore[arg-type]  # built by tests


@contextmanager
def read_only() -> Iterator[None]:
    """Let the whole database take no write."""
    setting = "default_transaction_read_only"
    run(f"ALTER SYSTEM SET {setting} = on", "SELECT pg_reload_conf()")
    _wait_until(setting, "on")
    try:
        yield
    finally:
        run(f"ALTER SYSTEM RESET {setting}", "SELECT pg_reload_conf()")
        _wait_until(setting, "off")


def _wait_until(setting: str, value: str) -> None:
    """Wait until this thread's session has read the server's configuration again."""
    for _ in range(500):
        with connection.cursor() as cursor:
            cursor.execute(f"SHOW {setting}")
            if cursor.fetchone() == (value,):
                return
        time.sleep(0.01)
    raise AssertionError(f"{setting} is not {value} after 5 s")
