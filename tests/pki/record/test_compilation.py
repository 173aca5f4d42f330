"""Lists of a large fleet are not compiled before PostgreSQL runs them."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from pki.record.compilation import without_compiling


@pytest.mark.django_db(transaction=True)
def test_a_block_of_statements_is_not_compiled_and_later_ones_may_be():
    has_jit = connection.vendor == "postgresql" and connection.features.__module__ == (
        "django.db.backends.postgresql.features"
    )
    with CaptureQueriesContext(connection) as queries, without_compiling():
        inside = _jit() if has_jit else ""

    if has_jit:
        assert (inside, _jit()) == ("off", "on")
    else:  # SQLite and Aurora DSQL have no such setting
        assert len(queries) == 0


def _jit():
    with connection.cursor() as cursor:
        cursor.execute("SHOW jit")
        return cursor.fetchone()[0]
