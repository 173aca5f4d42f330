"""Lets pytest-django's tests run on a cluster.

    pytest -p tests.support.dsql.pytest_plugin --reuse-db

A cluster has one database and no savepoints. So the tests use that database, each test commits what
it writes, and what it wrote is deleted afterwards.
"""

import os
from pathlib import Path

import psycopg
import pytest
from django.db import connection
from django.test import TransactionTestCase
from psycopg import sql

from tests.support.dsql.cluster import DATABASE
from tests.support.postgresql import DIRECTORY_VARIABLE, PostgreSQLServer

KEPT = {"django_migrations", "django_content_type", "auth_permission"}
"""Tables whose rows are made with the database."""


@pytest.hookimpl(trylast=True)  # after pytest-django has read the settings
def pytest_configure():
    """Use the cluster's one database, and let no test rely on a rollback."""
    connection.settings_dict["TEST"]["NAME"] = DATABASE
    # Django's TestCase then is a TransactionTestCase.
    type(connection.features).supports_transactions = False
    TransactionTestCase._fixture_teardown = _empty


def _empty(self):
    """Delete the rows of all tables. This goes past the gate: it is no part of the product.

    Triggers are off meanwhile, so that foreign keys ask for no order.
    """
    server = PostgreSQLServer(Path(os.environ[DIRECTORY_VARIABLE]))
    with psycopg.connect(server.url()) as database:
        database.execute("SET LOCAL session_replication_role = replica")
        tables = database.execute(
            "SELECT schemaname, tablename FROM pg_tables "
            "WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'sys') "
            "AND tablename <> ALL (%s)",
            [[*KEPT]],
        ).fetchall()
        for name in tables:
            database.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(*name)))
