"""Sessions of a cluster, as psycopg sees them: protocols, transactions, limits, conflicts."""

import threading
import time

import psycopg
import pytest
from psycopg import errors

from tests.support.dsql.clients import connect
from tests.support.dsql.transaction import Limits


def in_transaction(session, *statements):
    """Run statements in a transaction. One with parameters is a tuple."""
    with session.transaction():
        for statement in statements:
            session.execute(*statement if isinstance(statement, tuple) else (statement,))


def value(session, sql, *parameters):
    """Return the one value that a statement answers with."""
    return session.execute(sql, parameters or None).fetchone()[0]


def test_both_protocols_answer_as_postgresql_does(session):
    assert value(session, "SELECT name FROM device WHERE id = 1") == "a"
    assert value(session, "SELECT name FROM device WHERE id = %s", 2) == "b"
    assert session.execute("SELECT %b::int", (7,), binary=True).fetchone() == (7,)
    assert session.execute("INSERT INTO device VALUES (3, %s) RETURNING id", ("c",)).rowcount == 1
    for _ in range(8):  # psycopg prepares a statement that comes again
        assert value(session, "SELECT count(*) FROM device WHERE id > %s", 1) == 2
    assert session.execute("SELECT 1; SELECT 2").fetchone() == (1,)


def test_an_error_leaves_the_session_as_it_was(session):
    with pytest.raises(errors.UndefinedTable):
        session.execute("SELECT * FROM nothing")
    with pytest.raises(errors.UniqueViolation):
        session.execute("INSERT INTO device VALUES (%s, 'x')", (1,))
    with pytest.raises(errors.SyntaxError):
        session.execute("SELECT * FRM device")

    assert value(session, "SELECT count(*) FROM device") == 2


def test_a_refused_statement_fails_the_transaction_it_is_in(session):
    with pytest.raises(errors.FeatureNotSupported, match="unsupported statement: Savepoint"):
        in_transaction(session, "INSERT INTO device VALUES (3, 'c')", "SAVEPOINT a")

    assert value(session, "SELECT count(*) FROM device") == 2
    session.execute("BEGIN")
    with pytest.raises(errors.FeatureNotSupported):
        session.execute("LOCK TABLE device")
    with pytest.raises(errors.InFailedSqlTransaction):
        session.execute("SELECT 1")
    session.execute("ROLLBACK")


def in_pipeline(session, *statements):
    """Send statements without waiting for answers."""
    with session.pipeline():
        for statement in statements:
            session.execute(statement)


def test_a_pipeline_is_answered_up_to_what_is_refused(session):
    with session.pipeline():
        first = session.execute("SELECT %s::int", (1,))
        second = session.execute("INSERT INTO device VALUES (%s, 'c') RETURNING id", (3,))
        assert (first.fetchone(), second.fetchone()) == ((1,), (3,))

    with pytest.raises(errors.FeatureNotSupported):
        in_pipeline(session, "INSERT INTO device VALUES (4, 'd')", "TRUNCATE device")

    assert value(session, "SELECT count(*) FROM device") == 3  # the pipeline rolled back as one


def test_copy_and_cursors_of_the_server_are_refused(session):
    with session.cursor() as cursor, pytest.raises(errors.FeatureNotSupported):
        cursor.copy("COPY device FROM STDIN").__enter__()
    session.execute("BEGIN")
    with session.cursor("on_the_server") as cursor, pytest.raises(errors.FeatureNotSupported):
        cursor.execute("SELECT * FROM device")
    session.execute("ROLLBACK")


def test_a_statement_can_be_cancelled(session):
    timer = threading.Timer(0.2, session.cancel_safe)
    timer.start()
    with pytest.raises(errors.QueryCanceled):
        session.execute("SELECT pg_sleep(20)")
    timer.join()

    assert value(session, "SELECT 1") == 1


def test_the_snapshot_is_taken_at_begin(cluster, session):
    with connect(cluster) as other:
        session.execute("BEGIN")
        other.execute("INSERT INTO device VALUES (3, 'c')")

        assert value(session, "SHOW transaction_isolation") == "repeatable read"
        assert value(session, "SELECT count(*) FROM device") == 2

        session.execute("COMMIT")
        assert value(session, "SELECT count(*) FROM device") == 3


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("CREATE TABLE x (i int)", "CREATE TABLE y (i int)", "multiple ddl statements"),
        ("CREATE TABLE x (i int)", "INSERT INTO device VALUES (3)", "ddl and dml"),
        ("DELETE FROM device", "CREATE INDEX ASYNC x ON device (name)", "ddl and dml"),
        ("CREATE INDEX ASYNC x ON device (name)", "GRANT SELECT ON device TO admin", "multiple"),
    ],
)
def test_a_transaction_has_one_ddl_statement_and_no_dml_beside_it(session, first, second, message):
    with pytest.raises(errors.FeatureNotSupported, match=message):
        in_transaction(session, first, second)
    if "ASYNC" not in first + second:  # which the gate plays, each in a transaction of its own
        with pytest.raises(errors.FeatureNotSupported, match=message):
            session.execute(f"{first}; {second}")

    in_transaction(session, "SELECT 1", first)
    session.execute(second)


ROWS = "INSERT INTO device SELECT n, n::text FROM generate_series(%s::int, %s::int) n"


def test_a_transaction_writes_3000_rows(session):
    with pytest.raises(errors.ProgramLimitExceeded, match="row limit"):
        in_transaction(
            session,
            (ROWS, (11, 3_000)),  # 2,990
            "UPDATE device SET name = name || 'x' WHERE id < 21 AND id > 10",
            "DELETE FROM device WHERE id < 2",
        )
    with pytest.raises(errors.ProgramLimitExceeded):
        session.execute(ROWS, (11, 3_011))
    with pytest.raises(errors.ProgramLimitExceeded):
        session.execute("INSERT INTO device SELECT n FROM generate_series(11, 3011) n")
    assert value(session, "SELECT count(*) FROM device") == 2

    session.execute(ROWS, (11, 3_010))
    assert value(session, "SELECT count(*) FROM device") == 3_002


def test_a_value_is_at_most_1_mib(session):
    insert = "INSERT INTO device (id, note) VALUES (%s, %s)"
    with pytest.raises(errors.ProgramLimitExceeded, match="column size"):
        session.execute(insert, (3, "x" * (2**20 + 1)))
    with pytest.raises(errors.ProgramLimitExceeded):
        in_transaction(session, (insert, (3, "x" * (2**20 + 1))))

    session.execute(insert, (3, "x" * 2**20))


def test_a_transaction_writes_10_mib_and_lasts_as_long_as_it_may(cluster, session):
    insert = "INSERT INTO device (id, note) VALUES (%s, %s)"
    with pytest.raises(errors.ProgramLimitExceeded, match="size limit"):
        in_transaction(session, *((insert, (number, "x" * 2**20)) for number in range(11, 21)))
    in_transaction(session, *((insert, (number, "x" * 2**20)) for number in range(11, 20)))
    cluster.state.limits = Limits(transaction_seconds=0.2)
    with connect(cluster) as late:
        late.execute("BEGIN")
        time.sleep(0.3)
        with pytest.raises(errors.ProgramLimitExceeded, match="age limit"):
            late.execute("SELECT 1")
        late.execute("ROLLBACK")
        assert value(late, "SELECT 1") == 1


def test_an_injected_conflict_comes_at_commit_and_undoes_everything(cluster, session):
    cluster.state.plan.next_commits = 1
    with pytest.raises(errors.SerializationFailure, match="OC000"), session.transaction():
        session.execute("INSERT INTO device VALUES (%s, 'c')", (3,))
    cluster.state.plan.next_commits = 1
    with session.transaction():
        assert value(session, "SELECT count(*) FROM device") == 2  # what only reads never conflicts
    with pytest.raises(errors.SerializationFailure, match="OC000"):
        session.execute("INSERT INTO device VALUES (%s, 'c')", (3,))
    cluster.state.plan.next_statements = 1
    with pytest.raises(errors.SerializationFailure, match="OC001"):
        session.execute("SELECT count(*) FROM device WHERE id > %s", (0,))

    assert value(session, "SELECT count(*) FROM device") == 2
    assert cluster.state.plan.injected == 3


def test_two_writers_of_a_row_do_not_wait_and_one_of_them_fails(cluster, session):
    with connect(cluster) as other:
        session.execute("BEGIN")
        session.execute("UPDATE device SET name = 'first' WHERE id = %s", (1,))
        other.execute("BEGIN")
        began = time.monotonic()
        with pytest.raises(errors.SerializationFailure, match="OC000"):
            other.execute("UPDATE device SET name = 'second' WHERE id = %s", (1,))
        assert time.monotonic() - began < 2
        other.execute("ROLLBACK")
        session.execute("COMMIT")

    assert value(session, "SELECT name FROM device WHERE id = 1") == "first"


def test_a_key_that_the_snapshot_does_not_have_is_a_conflict_and_no_violation(cluster, session):
    with connect(cluster) as other:
        session.execute("BEGIN")
        other.execute("INSERT INTO device VALUES (%s, 'c')", (3,))
        with pytest.raises(errors.SerializationFailure, match="OC000"):
            session.execute("INSERT INTO device VALUES (%s, 'c')", (3,))
        session.execute("ROLLBACK")

    with pytest.raises(errors.UniqueViolation), session.transaction():
        session.execute("INSERT INTO device VALUES (%s, 'c')", (3,))


def test_a_foreign_key_may_wait_for_the_commit(session):
    session.execute(
        "CREATE TABLE part (id int, device int REFERENCES device (id) "
        "DEFERRABLE INITIALLY DEFERRED)"
    )
    with session.transaction():
        session.execute("INSERT INTO part VALUES (1, %s)", (9,))
        session.execute("INSERT INTO device VALUES (9, 'z')")
    with pytest.raises(errors.ForeignKeyViolation):
        session.execute("INSERT INTO part VALUES (1, %s)", (10,))


def test_an_index_is_made_by_a_job(cluster, session):
    job = value(session, "CREATE UNIQUE INDEX ASYNC pair ON device (id, name)")

    assert value(session, "SELECT sys.wait_for_job(%s)", job) is True
    assert value(session, f"CALL sys.wait_for_job('{job}')") is True
    assert session.execute(
        "SELECT status, object_name FROM sys.jobs WHERE job_id = %s", (job,)
    ).fetchone() == ("completed", "pair")
    with pytest.raises(errors.UndefinedObject):
        session.execute("SELECT sys.wait_for_job('another')")


VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'name_rule'::regclass"


def test_an_index_that_is_not_valid_yet_checks_nothing(cluster, session):
    session.execute("CREATE TABLE rule (name text)")
    cluster.state.jobs.are_held = True
    with session.transaction():
        job = value(session, "CREATE UNIQUE INDEX ASYNC name_rule ON rule (name)")
    assert value(session, VALID) is False
    session.execute("INSERT INTO rule VALUES ('a'), ('a')")

    cluster.state.jobs.finish()

    assert value(session, "SELECT sys.wait_for_job(%s)", job) is False
    assert value(session, "SELECT status FROM sys.jobs WHERE job_id = %s", job) == "failed"
    assert value(session, VALID) is False


def test_a_wait_for_a_job_ends_with_the_job(cluster, session):
    session.execute("CREATE TABLE rule (name text)")
    cluster.state.jobs.are_held = True
    job = value(session, "CREATE UNIQUE INDEX ASYNC name_rule ON rule (name)")
    finishing = threading.Timer(0.2, cluster.state.jobs.finish)
    finishing.start()

    assert value(session, "SELECT sys.wait_for_job(%s)", job) is True
    finishing.join()
    assert value(session, VALID) is True
    with pytest.raises(errors.UniqueViolation):
        session.execute("INSERT INTO rule VALUES ('a'), ('a')")


def test_a_constraint_is_validated_by_a_job_that_may_fail(session):
    session.execute("ALTER TABLE device ADD CONSTRAINT few CHECK (id < 2) NOT VALID")
    job = value(session, "ALTER TABLE ASYNC device VALIDATE CONSTRAINT few")
    assert value(session, "SELECT sys.wait_for_job(%s)", job) is False

    session.execute("DELETE FROM device WHERE id > 1")
    job = value(session, "ALTER TABLE ASYNC device VALIDATE CONSTRAINT few")
    assert value(session, "SELECT sys.wait_for_job(%s)", job) is True


def test_sessions_end_when_told_but_not_inside_of_a_transaction(cluster, session):
    with connect(cluster) as busy:
        busy.execute("BEGIN")
        busy.execute("INSERT INTO device VALUES (3, 'c')")
        cluster.end_connections()

        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
        busy.execute("COMMIT")
        with pytest.raises(psycopg.OperationalError):
            busy.execute("SELECT 1")
    with connect(cluster) as later:
        assert value(later, "SELECT count(*) FROM device") == 3


def test_sessions_end_after_an_hour(cluster):
    cluster.state.limits = Limits(connection_seconds=0.2)
    with connect(cluster) as session:
        session.execute("SELECT 1")
        time.sleep(0.3)
        session.execute("SELECT 1")
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")


def test_a_cluster_whose_database_is_gone_refuses_and_comes_back(cluster, server):
    with connect(cluster) as session:
        server.stop("immediate")
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        connect(cluster)
    server.start()

    with connect(cluster) as session:
        assert value(session, "SELECT 1") == 1
