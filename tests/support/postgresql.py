"""A private PostgreSQL server, which the tests make, start and stop. It listens on loopback only.

Each module has a server of its own. Tests stop theirs and change its settings, while other workers
use theirs. `initdb` takes a second, so that a process runs it once, and copies what it has made.
"""

import atexit
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psycopg

from tests.support.in_memory import make_directory
from tests.support.ports import free_ports
from tests.support.programs import require_program

DIRECTORY_VARIABLE = "TEST_POSTGRESQL_DIRECTORY"
"""Names the server's directory to the tests that run on it, so that they can stop and start it."""

BINARIES = "/usr/lib/postgresql/*/bin"

USER = "est"

# The server is small, because the machine runs other tests beside it. Without fsync and whole pages
# in its log a power cut loses data. These tests only kill processes, and what a process has written
# stays: https://www.postgresql.org/docs/current/non-durability.html
_SETTINGS = """
fsync = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 160MB
shared_buffers = 32MB
max_connections = 80
autovacuum = off
listen_addresses = '127.0.0.1'
log_min_messages = fatal
"""


@dataclass(frozen=True)
class PostgreSQLServer:
    """A server. Its data, socket, log and password are in ``directory``."""

    directory: Path

    @property
    def port(self) -> int:
        """Return the TCP port on 127.0.0.1."""
        return int((self.directory / "port").read_text())

    def url(self, database: str = "postgres") -> str:
        """Return the server's URL, with its password, for TEST_DATABASE_URL."""
        password = (self.directory / "password").read_text()
        return f"postgresql://{USER}:{password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        options = f"-p {self.port} -k {self.directory}"
        self._pg_ctl("start", "-l", str(self.directory / "log"), "-o", options)

    def stop(self, mode: str = "fast") -> None:
        """Stop the server. The mode ``immediate`` is a crash, which finishes and writes nothing."""
        self._pg_ctl("stop", "-m", mode)

    def execute(self, statement: str) -> None:
        """Run a statement as superuser, on a new connection."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[arg-type]  # built by tests

    def _pg_ctl(self, *arguments: str) -> None:
        data = str(self.directory / "data")
        _run("pg_ctl", "--pgdata", data, "--wait", "--silent", *arguments)


@contextmanager
def private_server() -> Iterator[PostgreSQLServer]:
    """Make and start a server with an empty database; stop and delete it with the block."""
    directory = make_directory("est-postgresql-")
    try:
        with server_in(directory) as server:
            yield server
    finally:
        shutil.rmtree(directory)


@contextmanager
def server_in(directory: Path) -> Iterator[PostgreSQLServer]:
    """Start the server of ``directory``, which is made in an empty one; stop it with the block."""
    require_program("initdb", package="postgresql", beside=BINARIES)
    server = PostgreSQLServer(directory)
    if (directory / "data").exists():
        (directory / "port").write_text(str(next(free_ports())))
    else:
        _make(server)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _make(server: PostgreSQLServer) -> None:
    directory = server.directory
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(directory, "postgres", "postgres")
    _run("cp", "--archive", f"{_made_once()}/.", str(directory))
    (directory / "port").write_text(str(next(free_ports())))


@cache
def _made_once() -> Path:
    """Return a directory with the data of a server that was never started, and its password."""
    directory = make_directory("est-initdb-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    password = directory / "password"
    password.write_text(secrets.token_urlsafe(18))
    if os.geteuid() == 0:
        shutil.chown(directory, "postgres", "postgres")
        shutil.chown(password, "postgres", "postgres")
    _run(
        *("initdb", "--pgdata", str(directory / "data"), "--username", USER, "--no-sync"),
        *("--auth", "password", "--pwfile", str(password)),
        *("--encoding", "UTF8", "--locale", "C.UTF-8"),
    )
    with (directory / "data" / "postgresql.conf").open("a") as configuration:
        configuration.write(_SETTINGS)
    return directory


def _run(program: str, *arguments: str) -> None:
    identity = {}
    if os.geteuid() == 0:
        identity = {"user": "postgres", "group": "postgres", "extra_groups": []}
    # The server inherits where its output goes. A pipe would end only with the server.
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(
            [require_program(program, package="postgresql", beside=BINARIES), *arguments],
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            check=False,
            **identity,
        )
        output.seek(0)
        assert done.returncode == 0, f"{program} failed:\n{output.read().decode()}"
