"""A cluster of Aurora DSQL for tests: an endpoint with TLS in front of a private PostgreSQL.

What differs from a real cluster, and whether a test can tell:

- A real cluster has no locks: of two transactions that write one row, the second to commit fails.
  PostgreSQL lets the second to write wait. Here it waits for ``LOCK_TIMEOUT`` and then fails at the
  statement, with the text of the conflict at commit. A test sees a conflict in both cases. It sees
  one too many where the first transaction rolls back later than that.
- Two transactions that insert one key: PostgreSQL finds the violation of the unique rule at the
  statement though its snapshot has no such row. The gate answers with the conflict (OC000), if the
  table was written to since the snapshot. A test can't tell it from one at commit, except by where
  it is raised.
- PostgreSQL's own serialization failure (40001, "could not serialize access") stays as it is.
- Statements outside of BEGIN are transactions of their own, at REPEATABLE READ too.
- Whether ``COPY`` and ``PREPARE`` as statements are taken is on no page: they are refused.
"""

import secrets
import shutil
import socket
import string
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from tests.support.dsql.certificates import server_context, write_certificates
from tests.support.dsql.cluster_state import ClusterState
from tests.support.dsql.conflicts import Plan
from tests.support.dsql.door import Door
from tests.support.dsql.jobs import Jobs
from tests.support.dsql.login import ADMIN, Principal
from tests.support.dsql.session import Session
from tests.support.dsql.transaction import Limits
from tests.support.postgresql import PostgreSQLServer

REGION = "eu-central-1"
DATABASE = "postgres"

# The role admin makes schemas and roles, and is no superuser.
_ADMIN_ROLE = f"""
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{ADMIN}') THEN
        CREATE ROLE {ADMIN} LOGIN CREATEROLE;
        GRANT ALL ON DATABASE {DATABASE} TO {ADMIN};
        GRANT ALL ON SCHEMA public TO {ADMIN};
    END IF;
END $$
"""


@dataclass
class Cluster:
    """A running cluster, and what a test changes about it: ``state`` and the methods."""

    host: str
    port: int
    ca_file: Path
    state: ClusterState
    region: str = REGION
    sessions: set[Session] = field(default_factory=set)

    def url(self, user: str = ADMIN) -> str:
        """Return the database URL, with the parameters that lead a client here."""
        return (
            f"dsql://{user}@{self.host}:{self.port}/{DATABASE}?hostaddr=127.0.0.1"
            f"&sslrootcert={quote(str(self.ca_file), safe='')}"
        )

    def environment(self) -> dict[str, str]:
        """Return the variables that lead libpq here, whatever host its settings name."""
        return {
            "PGHOSTADDR": "127.0.0.1",
            "PGPORT": str(self.port),
            "PGSSLROOTCERT": str(self.ca_file),
        }

    def end_connections(self) -> None:
        """End every session, after its transaction, as a cluster does after an hour."""
        for session in [*self.sessions]:
            session.end_when_idle()


@contextmanager
def dsql_cluster(
    server: PostgreSQLServer,
    *,
    principals: dict[str, Principal] | None = None,
    plan: Plan | None = None,
    limits: Limits | None = None,
    identifier: str = "",
) -> Iterator[Cluster]:
    """Run a cluster on ``server`` while the block lasts.

    ``principals`` are IAM's, by their access key. Without them there is one, whose access key and
    secret are "testing", as in tests/settings.py.
    """
    state = ClusterState(_query_of(server), Jobs(_query_of(server)))
    state.query(_ADMIN_ROLE)
    state.plan = plan or Plan()
    state.limits = limits or Limits()
    state.principals = principals if principals is not None else {"testing": TESTER}
    letters = string.ascii_lowercase + string.digits
    identifier = identifier or "".join(secrets.choice(letters) for _ in range(26))
    host = f"{identifier}.dsql.{REGION}.on.aws"
    directory = Path(tempfile.mkdtemp(prefix="est-dsql-"))
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    cluster = Cluster(host, listener.getsockname()[1], directory / "ca.pem", state)
    try:
        write_certificates(host, directory)
        door = Door(server, state, server_context(directory), host, REGION)
        accepting = threading.Thread(
            target=_accept, args=(listener, door, cluster), name="dsql-gate", daemon=True
        )
        accepting.start()
        yield cluster
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for session in [*cluster.sessions]:
            session.close()
        shutil.rmtree(directory)


TESTER = Principal("arn:aws:iam::123456789012:user/testing", "testing")


def _accept(listener: socket.socket, door: Door, cluster: Cluster) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(
            target=_serve, args=(connection, door, cluster), name="dsql-session", daemon=True
        ).start()


def _serve(connection: socket.socket, door: Door, cluster: Cluster) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    session = door.let_in(connection)
    if session is None:
        return
    cluster.sessions.add(session)
    try:
        session.run()
    finally:
        cluster.sessions.discard(session)


def _query_of(server: PostgreSQLServer):  # type: ignore[no-untyped-def]  # jobs.Query
    def query(statement: str, parameters: tuple[Any, ...] | None = None) -> list[tuple[Any, ...]]:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            cursor = connection.execute(statement, parameters)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    return query
