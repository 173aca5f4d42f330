"""One session of a client: what it sends is looked at, and what it may send goes to PostgreSQL."""

import threading
import time
from contextlib import suppress

from tests.support.dsql import special, wire
from tests.support.dsql.backend import ServerError
from tests.support.dsql.cluster_state import ClusterState
from tests.support.dsql.extended import ExtendedProtocol
from tests.support.dsql.refusals import Refusal
from tests.support.dsql.statements import Statement, parse
from tests.support.dsql.tokens import statements
from tests.support.dsql.wire import Channel, Closed, Message

SERVER_GONE = Refusal("terminating connection, the cluster is gone", "", "57P01")


class Session(ExtendedProtocol):
    """A client's session from login to its end, with the simple protocol."""

    def __init__(self, client: Channel, server: Channel, state: ClusterState, user: str) -> None:
        """Join both sides, of which both are logged in."""
        super().__init__(client, server, state, user)
        self._began = time.monotonic()
        self._ends_when_idle = False
        self._is_idle = False
        self._idle_lock = threading.Lock()

    def run(self) -> None:
        """Answer the client until one side closes."""
        batch: list[Message] = []
        try:
            while not (self.status == "I" and not batch and self._has_ended()):
                message = self._next_message(is_idle=self.status == "I" and not batch)
                if message.type == b"X":
                    break
                if message.type == b"Q":
                    self._answer_query(message)
                elif message.type in {b"P", b"B", b"D", b"E", b"C"}:
                    batch.append(message)
                elif message.type in {b"S", b"H"}:
                    self._answer_batch([*batch, message])
                    batch = []
        except Closed:
            with suppress(Closed):
                self.client.send(wire.error(SERVER_GONE, severity="FATAL"))
        finally:
            self.close()

    def end_when_idle(self) -> None:
        """End the session, after the transaction if it is in one."""
        with self._idle_lock:
            self._ends_when_idle = True
            if self._is_idle:
                self.client.close()

    def close(self) -> None:
        """Close both sides at once."""
        self.client.close()
        self.server.close()

    def _has_ended(self) -> bool:
        age = time.monotonic() - self._began
        return self._ends_when_idle or age > self.state.limits.connection_seconds

    def _next_message(self, *, is_idle: bool) -> Message:
        with self._idle_lock:
            if is_idle and self._ends_when_idle:
                raise Closed
            self._is_idle = is_idle
        try:
            return self.client.receive()
        finally:
            with self._idle_lock:
                self._is_idle = False

    def _answer_query(self, message: Message) -> None:
        sql = message.strings(1)[0]
        try:
            found = [parse(part) for part in statements(sql)]
            if len(found) < 2 or all(statement.is_forwarded for statement in found):
                self._run_simple(sql, found)
            else:
                for statement in found:
                    self._run_simple(statement.sql, [statement])
        except Refusal as refusal:
            self._fail(refusal, sql)
        except ServerError as error:
            self.client.send(error.message)
        self.client.send(wire.ready(self.status))

    def _run_simple(self, sql: str, found: list[Statement]) -> None:
        """Run statements that share one implicit transaction, if none is open."""
        if self.status == "I":
            self.transaction = self._new_transaction(is_explicit=False)
        for statement in found:
            self._check(statement, len(sql))
        if found and not found[0].is_forwarded:
            self.client.send(*special.run(self, found[0], []))
            return
        if self.status != "I" or not self.transaction.written:
            self._relay(wire.query(sql))
            return
        # The rows are counted before they are committed.
        self.ask("BEGIN")
        try:
            self._relay(wire.query(sql))
            self.state.plan.at_single_commit(self.transaction)
        except (Refusal, ServerError):
            self.ask("ROLLBACK")
            raise
        with self.state.commits.committing(self.transaction.written):
            self.ask("COMMIT")

    def _relay(self, message: Message) -> None:
        """Send a Query and relay its answer without ReadyForQuery."""
        self.server.send(message)
        failure: Exception | None = None
        for answer in self.server.until(b"Z"):
            if failure is None:
                failure = self._relay_answer(answer)
        if failure is not None:
            raise failure
