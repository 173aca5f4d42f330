"""The named crash points of an enrollment, and what can go wrong at each.

Nothing of ours is replaced: the points are seen from outside, by the statements and commits that
reach the database, by the signer and the hook (which are plug-ins), and by the WSGI server.
"""

import os
import signal
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
from django.db import OperationalError, connection

from estserver.enrollment.hooks import EnrollmentHook
from tests.pki.state.signers import TestSigner
from tests.support.postgresql import DIRECTORY_VARIABLE, PostgreSQLServer

POINTS = (
    "before-intent",
    "after-intent",
    "during-signature",
    "after-signature",
    "before-issued",
    "after-issued",
    "during-response",
    "post-hook",
)


class Crash(Exception):
    """Nobody expects this one."""


class Trap:
    """Calls ``action`` the first time that ``point`` is reached."""

    def __init__(self, point, action):
        assert point in POINTS, point
        self.point, self._action = point, action
        self.sprung = False

    def at(self, point):
        """Say that ``point`` is reached."""
        if point == self.point and not self.sprung:
            self.sprung = True
            self._action()


_trap: Trap | None = None


def reached(point):
    """Say that ``point`` is reached, to the trap that is set, if any."""
    if _trap is not None:
        _trap.at(point)


class TrappedHook(EnrollmentHook):
    """A post hook that is a crash point."""

    def post_enroll(self, request, certificate):
        """Reach the point."""
        reached("post-hook")


@contextmanager
def trap(point, action):
    """Have ``action`` called when an enrollment on this thread reaches ``point``."""
    global _trap
    _trap = Trap(point, action)
    before, after = TestSigner.before, TestSigner.after
    TestSigner.before = staticmethod(lambda: reached("during-signature"))
    TestSigner.after = staticmethod(lambda: reached("after-signature"))
    try:
        with _watched_database():
            yield _trap
    finally:
        TestSigner.before, TestSigner.after = staticmethod(before), staticmethod(after)
        _trap = None


@contextmanager
def _watched_database():
    writes = []
    commit = connection.commit

    def see(execute, sql, params, many, context):
        if sql.startswith('INSERT INTO "pki_issuedcertificate"'):
            reached("before-intent")
            writes.append("intent")
        elif sql.startswith('UPDATE "pki_issuedcertificate"') and '"der" =' in sql:
            writes.append("issued")
        result = execute(sql, params, many, context)
        if "issued" in writes and sql.startswith('INSERT INTO "pki_auditevent"'):
            reached("before-issued")
        return result

    def watched_commit():
        commit()
        step, writes[:] = writes[:], []
        if "intent" in step:
            reached("after-intent")
        if "issued" in step:
            reached("after-issued")

    connection.commit = watched_commit
    try:
        with connection.execute_wrapper(see):
            yield
    finally:
        del connection.commit


def watched_response(application):
    """A WSGI application whose server may crash while it sends."""

    def serve(environ, start_response):
        reply = application(environ, start_response)
        reached("during-response")
        return reply

    return serve


def crash():
    """An exception that nobody expects."""
    raise Crash


def kill():
    """``kill -9`` of this process."""
    os.kill(os.getpid(), signal.SIGKILL)


def _another_session():
    """A session that may end ours: on Aurora DSQL no role of the cluster may."""
    if directory := os.environ.get(DIRECTORY_VARIABLE):
        return psycopg.connect(PostgreSQLServer(Path(directory)).url())
    return psycopg.connect(**connection.get_connection_params())


@contextmanager
def losable_database():
    """Yields what takes the database away from this thread, until the block ends.

    On PostgreSQL the server ends our session and answers no more. SQLite has no server: there the
    disk fails.
    """
    with ExitStack() as stack:

        def fail(*_args, **_kwargs):
            raise OperationalError("the database is gone")

        def lose():
            if connection.vendor == "postgresql":
                with _another_session() as other:
                    pid = connection.connection.info.backend_pid
                    other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
                connection.connect = fail
                stack.callback(delattr, connection, "connect")
            else:
                stack.enter_context(connection.execute_wrapper(fail))
                commit, connection.commit = connection.commit, fail
                stack.callback(setattr, connection, "commit", commit)

        yield lose
