"""A client's session on both sides: what is sent to PostgreSQL, and how its answers come back."""

from contextlib import suppress

from tests.support.dsql import wire
from tests.support.dsql.cluster_state import ClusterState
from tests.support.dsql.jobs import Job
from tests.support.dsql.refusals import DATA_CONFLICT, Refusal
from tests.support.dsql.statements import Kind, Statement
from tests.support.dsql.transaction import Transaction
from tests.support.dsql.wire import Channel, Message

_CONFLICTS = {"55P03", "40P01"}  # a row was locked, a deadlock: Aurora DSQL has neither
_UNIQUE_VIOLATION = "23505"


class ServerError(Exception):
    """PostgreSQL answered with an error, which the client gets."""

    def __init__(self, message: Message) -> None:
        """Keep the ErrorResponse."""
        super().__init__(wire.error_fields(message).get("M", ""))
        self.message = message


class Backend:
    """The two sides of a session, and its transaction."""

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
