"""One session of a client: what it sends is looked at, and what it may send goes to PostgreSQL."""

import threading
import time
from contextlib import suppress

from tests.support.dsql import special, wire
from tests.support.dsql.cluster_state import ClusterState
from tests.support.dsql.jobs import Job
from tests.support.dsql.refusals import DATA_CONFLICT, Refusal
from tests.support.dsql.statements import Kind, Statement, parse
from tests.support.dsql.tokens import statements
from tests.support.dsql.transaction import Transaction
from tests.support.dsql.wire import Channel, Closed, Message

SERVER_GONE = Refusal("terminating connection, the cluster is gone", "", "57P01")
_CONFLICTS = {"55P03", "40P01"}  # a row was locked, a deadlock: Aurora DSQL has neither
_UNIQUE_VIOLATION = "23505"


class ServerError(Exception):
    """PostgreSQL answered with an error, which the client gets."""

    def __init__(self, message: Message) -> None:
        """Keep the ErrorResponse."""
        super().__init__(wire.error_fields(message).get("M", ""))
        self.message = message


class Session:
    """A client's session from login to its end."""

    def __init__(self, client: Channel, server: Channel, state: ClusterState, user: str) -> None:
        """Join both sides, of which both are logged in."""
        self.client = client
        self.server = server
        self.state = state
        self.user = user
        self.status = "I"
        self.transaction = self._new_transaction(is_explicit=False)
        self.held_back: list[Job] = []
        """Jobs that begin when the transaction commits."""
        self._began = time.monotonic()
        self._is_unsynced = False
        self._has_failed = False
        self._ends_when_idle = False
        self._is_idle = False
        self._idle_lock = threading.Lock()
        self._refused: Refusal | None = None
        """What the next Execute fails with, because a check has said so already."""
        self._prepared: dict[str, Statement] = {}
        self._portals: dict[str, tuple[Statement, Message]] = {}

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

    # Simple protocol

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

    def _relay_answer(self, answer: Message) -> Exception | None:
        """Relay one message of the server; return the failure that it is or leads to."""
        if answer.type == b"Z":
            self.status = answer.body.decode()
            return None
        if answer.type == b"E":
            return self._translated(answer)
        if answer.type == b"C":
            try:
                self.transaction.add_rows(answer.strings(1)[0])
            except Refusal as refusal:
                return refusal
        self.client.send(answer)
        return None

    # Extended protocol

    def _answer_batch(self, batch: list[Message]) -> None:
        """Answer the messages up to a Sync or a Flush; after an error, skip to the Sync."""
        if self.status == "I" and not self._is_unsynced:
            self.transaction = self._new_transaction(is_explicit=False)
        if not self._is_unsynced and self._may_be_forwarded(batch):
            self.server.send(*batch)
            self._relay_batch(batch)
            return
        for message in batch:
            if message.type == b"S":
                self._sync()
            elif not self._has_failed:
                self._has_failed = not self._answer_step(message)
        self._is_unsynced = batch[-1].type != b"S"

    def _may_be_forwarded(self, batch: list[Message]) -> bool:
        """Return whether PostgreSQL can answer all of it at once, because nothing is special."""
        if batch[-1].type != b"S":
            return False
        prepared: dict[str, Statement] = {}
        portals: dict[str, tuple[Statement, Message]] = {}
        executed: list[tuple[Statement, Message]] = []
        for message in batch:
            if message.type == b"P":
                name, sql = message.strings(2)
                try:
                    prepared[name] = parse(sql)
                except Refusal:
                    return False
            elif message.type == b"B":
                portal, name = message.strings(2)
                statement = prepared.get(name) or self._prepared.get(name)
                if statement is None:
                    return False
                portals[portal] = (statement, message)
            elif message.type == b"D":
                statement = self._described(message, prepared, portals)
                if statement is not None and not statement.is_forwarded:
                    return False
            elif message.type == b"E":
                bound = portals.get(message.strings(1)[0])
                if bound is None or not bound[0].is_forwarded:
                    return False
                executed.append(bound)
        writes = any(statement.kind is Kind.WRITE for statement, _ in executed)
        if (writes and self.status == "I") or len(executed) > 1:
            return False
        for statement, bind in executed:
            try:
                self._check_bound(statement, bind)
            except Refusal as refusal:
                self._refused = refusal
                return False
        self._prepared |= prepared
        self._portals |= portals
        return True

    def _described(
        self,
        message: Message,
        prepared: dict[str, Statement],
        portals: dict[str, tuple[Statement, Message]],
    ) -> Statement | None:
        name = message.strings(1)[0][1:]
        if message.body[:1] == b"S":
            return prepared.get(name) or self._prepared.get(name)
        bound = portals.get(name) or self._portals.get(name)
        return bound[0] if bound else None

    def _relay_batch(self, batch: list[Message]) -> None:
        failure: Exception | None = None
        for answer in self.server.until(b"Z"):
            if failure is None:
                failure = self._relay_answer(answer)
                if failure is not None and isinstance(failure, ServerError):
                    self.client.send(failure.message)
        self.status = answer.body.decode()
        if isinstance(failure, Refusal):
            self._fail(failure, batch[0].strings(2)[1] if batch[0].type == b"P" else "")
        self.client.send(wire.ready(self.status))

    def _answer_step(self, message: Message) -> bool:
        """Answer one message of the extended protocol; return whether it went well."""
        sql = ""
        try:
            if message.type == b"P":
                sql = message.strings(2)[1]
                self._parse_message(message)
            elif message.type == b"B":
                self._bind(message)
            elif message.type == b"D":
                self._describe(message)
            elif message.type == b"E":
                sql = self._execute(message)
            elif message.type == b"C":
                self._step(message)
        except Refusal as refusal:
            self._fail(refusal, sql)
            return False
        except ServerError as error:
            self.client.send(error.message)
            return False
        return True

    def _parse_message(self, message: Message) -> None:
        name, sql = message.strings(2)
        statement = parse(sql)
        if statement.is_forwarded:
            self._step(message)
        else:
            self.client.send(Message(b"1"))
        self._prepared[name] = statement

    def _bind(self, message: Message) -> None:
        portal, name = message.strings(2)
        statement = self._prepared.get(name)
        if statement is None or statement.is_forwarded:
            self._step(message)
        else:
            self.client.send(Message(b"2"))
        if statement is not None:
            self._portals[portal] = (statement, message)

    def _describe(self, message: Message) -> None:
        statement = self._described(message, {}, {})
        if statement is None or statement.is_forwarded:
            self._step(message)
            return
        description = special.description(statement)
        self.client.send(description or Message(b"n"))

    def _execute(self, message: Message) -> str:
        bound = self._portals.get(message.strings(1)[0])
        if bound is None:
            self._step(message)
            return ""
        statement, bind = bound
        if self._refused is not None:
            refused, self._refused = self._refused, None
            raise refused
        self._check_bound(statement, bind)
        if statement.is_forwarded:
            self._step(message)
        else:
            answers = special.run(self, statement, wire.bound_parameters(bind))
            self.client.send(*[answer for answer in answers if answer.type != b"T"])
        return statement.sql

    def _step(self, message: Message) -> None:
        """Send one message with a Flush, and relay what the server answers to it."""
        self.server.send(message, Message(b"H"))
        ends = {bytes([end]) for end in wire.COMPLETES[message.type]}
        while True:
            answer = self.server.receive()
            failure = self._relay_answer(answer)
            if failure is not None:
                raise failure
            if answer.type in ends:
                return

    def _sync(self) -> None:
        """Let the server end the implicit transaction, unless it meets another one."""
        written = self.transaction.written if self.status == "I" else set()
        if written and not self._has_failed:
            try:
                self.state.plan.at_single_commit(self.transaction)
            except Refusal as refusal:
                self._fail(refusal, "")
        with self.state.commits.committing(written):
            self.server.send(Message(b"S"))
            for answer in self.server.until(b"Z"):
                if answer.type == b"E":  # a deferred constraint
                    self.client.send(answer)
        self._has_failed = False
        self.status = answer.body.decode()
        self.client.send(wire.ready(self.status))

    def _check_bound(self, statement: Statement, bind: Message) -> None:
        self._check(statement, len(bind.body))
        if statement.kind is Kind.WRITE and len(bind.body) > self.state.limits.column:
            self.transaction.check_values(wire.bound_parameters(bind))

    # Both protocols

    def _check(self, statement: Statement, size: int) -> None:
        """Raise Refusal if the transaction may not run this statement now."""
        if self.status == "E":
            return  # PostgreSQL says so itself
        self.transaction.check(statement)
        if statement.kind is Kind.WRITE:
            self.transaction.add_size(size)
        if statement.kind in {Kind.QUERY, Kind.WRITE}:
            self.state.plan.at_statement(self.transaction)

    def _new_transaction(self, *, is_explicit: bool) -> Transaction:
        return Transaction(self.state.limits, is_explicit, self.state.commits.now())

    def begin(self) -> None:
        """Note that an explicit transaction has begun, just before its snapshot is taken."""
        self.transaction = self._new_transaction(is_explicit=True)

    def ask(self, sql: str) -> str:
        """Run statements of the gate's own; return the first tag. Raises ServerError."""
        self.server.send(wire.query(sql))
        tag, failure = "", None
        for answer in self.server.until(b"Z"):
            if answer.type == b"C":
                tag = tag or answer.strings(1)[0]
            elif answer.type == b"E" and failure is None:
                failure = self._translated(answer)
        self.status = answer.body.decode()
        if failure is not None:
            raise failure
        return tag

    def _translated(self, answer: Message) -> ServerError:
        """Return an error of PostgreSQL's as the one that Aurora DSQL has in its place."""
        code = wire.error_fields(answer).get("C", "")
        meets_another = code in _CONFLICTS or (
            code == _UNIQUE_VIOLATION
            and self.transaction.is_explicit
            and self.state.commits.wrote_since(self.transaction)
        )
        return ServerError(wire.error(DATA_CONFLICT) if meets_another else answer)

    def _fail(self, refusal: Refusal, sql: str) -> None:
        """Send the refusal, and let the server's transaction fail with it."""
        self.state.note_refusal(sql, refusal)
        with suppress(ServerError):
            self.ask("this fails the transaction")
        self.client.send(wire.error(refusal))
