"""The extended protocol: messages up to a Sync, which PostgreSQL answers at once or one by one.

https://www.postgresql.org/docs/16/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY
"""

from tests.support.dsql import special, wire
from tests.support.dsql.backend import Backend, ServerError
from tests.support.dsql.cluster_state import ClusterState
from tests.support.dsql.refusals import Refusal
from tests.support.dsql.statements import Kind, Statement, parse
from tests.support.dsql.wire import Channel, Message


class ExtendedProtocol(Backend):
    """Answers batches of Parse, Bind, Describe, Execute and Close."""

    def __init__(self, client: Channel, server: Channel, state: ClusterState, user: str) -> None:
        """Begin without prepared statements."""
        super().__init__(client, server, state, user)
        self._is_unsynced = False
        self._has_failed = False
        self._refused: Refusal | None = None
        """What the next Execute fails with, because a check has said so already."""
        self._prepared: dict[str, Statement] = {}
        self._portals: dict[str, tuple[Statement, Message]] = {}

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
