"""Indexes that DSQL builds on its own time: wait for them, and say which did not succeed."""

import time
from typing import Any

WAIT_SECONDS = 600
"""A function ends after 900 seconds at the latest. Another run goes on waiting."""

_UNFINISHED = """
SELECT job_id, object_name FROM sys.jobs WHERE status IN ('submitted', 'processing')
"""
_INVALID = """
SELECT c.relname, t.relname, i.indisunique FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE n.nspname = current_schema() AND NOT i.indisvalid ORDER BY c.relname
"""


def invalid_indexes(connection: Any) -> list[tuple[str, str, bool]]:
    """Return name, table, and whether a unique rule is held by it, of each index not in force."""
    with connection.cursor() as cursor:
        cursor.execute(_INVALID)
        return [(str(name), str(table), bool(unique)) for name, table, unique in cursor.fetchall()]


def finish_indexes(connection: Any, wait_seconds: float = WAIT_SECONDS) -> list[str]:
    """Wait for the jobs that build indexes, and return a sentence for each index not in force."""
    deadline = time.monotonic() + wait_seconds
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(_UNFINISHED)
            jobs = [job for job, _ in cursor.fetchall()]
            if not jobs:
                break
            cursor.execute("CALL sys.wait_for_job(%s)", [jobs[0]])
            cursor.fetchone()
    return [
        f"The index {name} of {table} is not in force. Run migrate again, which builds it anew; "
        f"when it fails again, look at sys.jobs for the reason."
        for name, table, _ in invalid_indexes(connection)
    ]
