"""Indexes that DSQL builds on its own time: wait for them, and say which did not succeed."""

import time
from typing import Any

WAIT_SECONDS = 600
"""Less than the 900 seconds that the admin's function may run. Another run goes on waiting."""

_UNFINISHED = """
SELECT job_id FROM sys.jobs WHERE status IN ('submitted', 'processing')
"""
_INVALID = """
SELECT c.relname, t.relname FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE n.nspname = current_schema() AND NOT i.indisvalid ORDER BY c.relname
"""


def invalid_indexes(connection: Any) -> list[tuple[str, str]]:
    """Return name and table of each index that is not in force."""
    with connection.cursor() as cursor:
        cursor.execute(_INVALID)
        return [(str(name), str(table)) for name, table in cursor.fetchall()]


def index_problems(connection: Any) -> list[str]:
    """Return a sentence for each index that is not in force."""
    return [
        f"The index {name} of {table} is not in force. Run migrate again, which builds it anew. If "
        "it fails again, look at sys.jobs for the reason."
        for name, table in invalid_indexes(connection)
    ]


def finish_indexes(connection: Any, wait_seconds: float = WAIT_SECONDS) -> list[str]:
    """Wait for the jobs that build indexes, and return a sentence for each index not in force."""
    deadline = time.monotonic() + wait_seconds
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(_UNFINISHED)
            jobs = [job for (job,) in cursor.fetchall()]
            if not jobs:
                break
            cursor.execute("CALL sys.wait_for_job(%s)", [jobs[0]])
            cursor.fetchone()
    return index_problems(connection)


def drop_broken_indexes(connection: Any) -> None:
    """Take away the indexes whose build failed, so that the migration that makes them runs again.

    Such a migration is not on record, because it failed with its index.
    """
    finish_indexes(connection)
    for name, _ in invalid_indexes(connection):
        with connection.cursor() as cursor:
            cursor.execute(f"DROP INDEX {connection.ops.quote_name(name)}")
