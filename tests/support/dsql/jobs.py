"""Asynchronous jobs: indexes that are not valid yet, ``sys.jobs`` and ``sys.wait_for_job``.

https://docs.aws.amazon.com/aurora-dsql/latest/userguide/working-with-create-index-async.html
"""

import secrets
import string
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg

SCHEMA = """
CREATE SCHEMA IF NOT EXISTS sys;
CREATE TABLE IF NOT EXISTS sys.jobs (
    job_id text PRIMARY KEY, status text NOT NULL, details text, job_type text NOT NULL,
    class_id oid, object_id oid, object_name text,
    start_time timestamptz NOT NULL DEFAULT now(), update_time timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS sys.iam_pg_role_mappings (
    arn text NOT NULL, pg_role_name text NOT NULL, PRIMARY KEY (arn, pg_role_name)
);
GRANT USAGE ON SCHEMA sys TO PUBLIC;
GRANT SELECT ON sys.jobs, sys.iam_pg_role_mappings TO PUBLIC;
"""

FINISHED = {"completed", "failed", "cancelled"}


Query = Callable[..., list[tuple[Any, ...]]]
"""Runs a statement with its parameters as PostgreSQL's superuser, and returns the rows."""

_INDEX = """
SELECT format('%%I.%%I', n.nspname, c.relname) FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'i' AND (c.relname = %s OR %s = '') ORDER BY c.oid DESC LIMIT 1
"""


@dataclass
class Job:
    """A job that builds an index or validates a constraint."""

    job_id: str
    name: str
    status: str = "completed"
    index: str = ""
    """The whole name of an index that is held back."""


class Jobs:
    """The jobs of a cluster."""

    def __init__(self, query: Query) -> None:
        """Make the system's tables, as a cluster has them from the start."""
        self._query = query
        self._changed = threading.Condition()
        self._jobs: dict[str, Job] = {}
        self.are_held = False
        """Whether new indexes stay invalid until ``finish``."""
        query(SCHEMA)

    def add(self, name: str, job_type: str, *, failure: str = "") -> Job:
        """Begin a job and return it. One that is not held is finished at once."""
        letters = string.ascii_lowercase + "234567"
        job = Job("".join(secrets.choice(letters) for _ in range(26)), name)
        if failure:
            job.status = "failed"
        elif self.are_held and job_type == "INDEX_BUILD":
            job.status = "processing"
        self._jobs[job.job_id] = job
        self._query(
            "INSERT INTO sys.jobs (job_id, status, details, job_type, object_name) "
            "VALUES (%s, %s, %s, %s, %s)",
            (job.job_id, job.status, failure or None, job_type, name),
        )
        return job

    def hold_back(self, job: Job) -> None:
        """Make the index of a job that isn't finished invalid, so that it checks nothing."""
        if job.status != "processing":
            return
        ((job.index,),) = self._query(_INDEX, (job.name, job.name))
        self._query(
            "UPDATE pg_index SET indisvalid = false, indisready = false "
            "WHERE indexrelid = %s::regclass",
            (job.index,),
        )

    def finish(self) -> None:
        """Build the indexes that were held back. One with duplicates fails and stays invalid."""
        self.are_held = False
        for job in [*self._jobs.values()]:
            if job.status != "processing":
                continue
            status, details = "completed", None
            try:
                self._query(f"REINDEX INDEX {job.index}")
            except psycopg.Error as error:
                status, details = "failed", str(error).splitlines()[0]
            self._query(
                "UPDATE sys.jobs SET status = %s, details = %s, update_time = now() "
                "WHERE job_id = %s",
                (status, details, job.job_id),
            )
            with self._changed:
                job.status = status
                self._changed.notify_all()

    def wait(self, job_id: str, seconds: float) -> bool | None:
        """Wait for a job's end; return whether it succeeded, or None if there is no such job."""
        job = self._jobs.get(job_id)
        if job is None:
            return None
        with self._changed:
            self._changed.wait_for(lambda: job.status in FINISHED, timeout=seconds)
        return job.status == "completed"
