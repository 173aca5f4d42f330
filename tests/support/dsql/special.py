"""Statements that PostgreSQL has not, or means otherwise: the gate plays them."""

from typing import TYPE_CHECKING

from tests.support.dsql import wire
from tests.support.dsql.login import ADMIN
from tests.support.dsql.refusals import ASYNC_INDEXES, ROLES, Refusal
from tests.support.dsql.statements import Kind, Statement
from tests.support.dsql.wire import Message

if TYPE_CHECKING:
    from tests.support.dsql.backend import Backend

_LONGEST_WAIT = 60.0
_PERMISSION_DENIED, _UNDEFINED_OBJECT = "42501", "42704"


def description(statement: Statement) -> Message | None:
    """Return the columns that a special statement answers with, or None if it has none."""
    if statement.kind in {Kind.ASYNC_INDEX, Kind.ASYNC_VALIDATION}:
        return wire.row_description("job_id")
    if statement.kind is Kind.WAIT_FOR_JOB:
        return wire.row_description("wait_for_job", wire.BOOLEAN)
    return None


def run(session: "Backend", statement: Statement, parameters: list[bytes]) -> list[Message]:
    """Run a special statement; return its answer, as far as CommandComplete.

    Raises Refusal, and ServerError if PostgreSQL refuses what the statement is made of.
    """
    rows = description(statement)
    if statement.kind is Kind.BEGIN:
        tag, values = _begin(session, statement), []
    elif statement.kind is Kind.COMMIT:
        tag, values = _commit(session, statement), []
    elif statement.kind is Kind.ROLLBACK:
        session.held_back.clear()
        tag, values = session.ask(statement.sql), []
    elif statement.kind is Kind.ASYNC_INDEX:
        tag, values = _create_index(session, statement)
    elif statement.kind is Kind.ASYNC_VALIDATION:
        tag, values = _validate(session, statement)
    elif statement.kind is Kind.WAIT_FOR_JOB:
        tag, values = _wait(session, statement, parameters)
    else:
        tag, values = _iam_grant(session, statement), []
    return [
        *([rows] if rows else []),
        *(wire.row(value) for value in values),
        wire.complete(tag),
    ]


def _begin(session: "Backend", statement: Statement) -> str:
    """Begin, and take the snapshot now: PostgreSQL would take it at the next statement.

    https://docs.aws.amazon.com/aurora-dsql/latest/userguide/working-with-concurrency-control.html
    """
    if session.status != "I":
        return session.ask(statement.sql)
    session.begin()
    return session.ask(f"{statement.sql}; SELECT pg_current_snapshot()")


def _commit(session: "Backend", statement: Statement) -> str:
    """Commit, unless the plan lets the transaction meet another one."""
    if session.status == "T":
        try:
            session.state.plan.at_commit(session.transaction)
        except Refusal:
            session.ask("ROLLBACK")
            session.held_back.clear()
            raise
    with session.state.commits.committing(session.transaction.written):
        tag = session.ask(statement.sql)
    for job in session.held_back:
        session.state.jobs.hold_back(job)
    session.held_back.clear()
    return tag


def _without_async(statement: Statement) -> str:
    word = next(token for token in statement.found if token.text == "ASYNC")
    return statement.sql[: word.start] + statement.sql[word.start + len("ASYNC") :]


def _create_index(session: "Backend", statement: Statement) -> tuple[str, list[str]]:
    """Make the index, and answer with the job that would make it."""
    session.ask(_without_async(statement))
    job = session.state.jobs.add(_index_name(statement), "INDEX_BUILD")
    if session.status == "T":
        session.held_back.append(job)
    else:
        session.state.jobs.hold_back(job)
    return "CREATE INDEX", [job.job_id]


def _index_name(statement: Statement) -> str:
    """Return the index's name, or nothing if PostgreSQL is to choose it."""
    found = statement.found
    on = next(i for i, token in enumerate(found) if token.kind == "word" and token.text == "ON")
    before = found[on - 1]
    return "" if before.kind == "word" and before.text == "ASYNC" else before.name


def _validate(session: "Backend", statement: Statement) -> tuple[str, list[str]]:
    """Validate the constraint now. If rows break it, the job fails and not the statement."""
    from tests.support.dsql.backend import ServerError

    failure = ""
    try:
        session.ask(_without_async(statement))
    except ServerError as error:
        if session.status == "E":
            raise
        failure = str(error)
    name = statement.found[-1].name
    job = session.state.jobs.add(name, "VALIDATE_CONSTRAINT", failure=failure)
    return "ALTER TABLE", [job.job_id]


def _wait(
    session: "Backend", statement: Statement, parameters: list[bytes]
) -> tuple[str, list[str]]:
    literals = [token.text.strip("'") for token in statement.found if token.kind == "string"]
    names = literals or [value.decode() for value in parameters]
    done = session.state.jobs.wait(names[0] if names else "", _LONGEST_WAIT)
    if done is None:
        raise Refusal(f"job {names} does not exist", ASYNC_INDEXES, _UNDEFINED_OBJECT)
    tag = "CALL" if statement.found[0].text == "CALL" else "SELECT 1"
    return tag, ["t" if done else "f"]


def _iam_grant(session: "Backend", statement: Statement) -> str:
    """Keep which principal may log in as which role. Only the cluster's admin may say so.

    https://docs.aws.amazon.com/aurora-dsql/latest/userguide/using-database-and-iam-roles.html
    """
    if session.user != ADMIN:
        raise Refusal("permission denied to map IAM principals", ROLES, _PERMISSION_DENIED)
    verb = statement.found[2].text
    role = statement.found[3].name
    arn = statement.found[-1].text.strip("'")
    if statement.found[-1].kind != "string" or not arn.startswith("arn:"):
        raise Refusal(f"invalid ARN: {arn}", ROLES, "22023")
    if not session.state.has_role(role):
        raise Refusal(f'role "{role}" does not exist', ROLES, _UNDEFINED_OBJECT)
    if verb == "GRANT":
        session.state.grant(role, arn)
    else:
        session.state.revoke(role, arn)
    return f"AWS IAM {verb}"
