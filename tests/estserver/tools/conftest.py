"""What the tests of the tools share: clients, and a digest of every table."""

import hashlib

import pytest
from django.db import connection

from tests.estserver.est.conftest import add_label, make_client_certificate, trust

__all__ = ["add_label", "make_client_certificate", "trust"]


@pytest.fixture
def contents(db):
    """Return a function that returns a digest of each table."""

    def digests():
        found = {}
        with connection.cursor() as cursor:
            for table in connection.introspection.table_names(cursor):
                cursor.execute(f'SELECT * FROM "{table}"')
                rows = "\n".join(sorted(map(repr, cursor.fetchall())))
                found[table] = hashlib.sha256(rows.encode()).hexdigest()
        return found

    return digests
