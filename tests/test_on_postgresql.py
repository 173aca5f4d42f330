"""Tests of the CA and the outbox, run again on PostgreSQL (tests/support/run_again.py)."""

import os
from functools import partial

import pytest

from tests.support import run_again
from tests.support.postgresql import private_server
from tests.support.run_again import OUTBOX_FILES, ca_files, ca_parts, state_files

LEAST = 60
"""The least number of tests in a run. A smaller number means that the selection is broken."""

run_tests = partial(run_again.run_tests, name="PostgreSQL")


@pytest.fixture(scope="module")
def server():
    """Start a PostgreSQL server for the tests of this module."""
    with private_server() as server:
        yield server


@pytest.mark.postgresql
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("part", "least"), [("states", 100), ("pages and jobs", 300), ("rules", 500)]
)
def test_T16_the_ca_on_postgresql(server, tmp_path, part, least):
    """Each part is a test of its own, which any worker may run while another runs the next."""
    assert run_tests(server, tmp_path, *ca_parts()[part]) >= least


def test_T16_each_file_of_the_ca_is_in_one_part():
    files = [file for part in ca_parts().values() for file in part]

    assert sorted(files) == sorted([*state_files(), *ca_files()])


@pytest.mark.postgresql
@pytest.mark.proof
@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize(
    ("race", "parts"),
    [
        ("test_T16_nothing_is_issued_after_deny_has_returned", 1),
        # Two tests share the rounds, and each takes a third of EST_RACE_ROUNDS.
        ("test_T57_a_race_of_revoke_and_renew_leaves_no_signed_intent", 3 / 2),
    ],
    ids=["deny against enroll", "revoke against renew"],
)
def test_T16_T57_thousands_of_rounds_of_a_race_on_postgresql(server, tmp_path, race, parts):
    """EST_PROOF_ROUNDS sets another number of rounds than 5,000."""
    rounds = int(os.environ.get("EST_PROOF_ROUNDS") or 5000)

    passed = run_tests(
        server, tmp_path, "tests/pki/state", "-k", race, EST_RACE_ROUNDS=str(int(rounds * parts))
    )

    assert passed in (1, 2)


@pytest.mark.postgresql
@pytest.mark.timeout(1200)
def test_T58_readiness_on_postgresql(server, tmp_path):
    files = ["tests/estserver/operations/test_readiness.py"]
    # The disk is the server's there, and no test may fill it.
    assert run_tests(server, tmp_path, *files, "-k", "not disk") > 5


@pytest.mark.postgresql
@pytest.mark.timeout(1200)
def test_T90_the_tools_on_postgresql(server, tmp_path):
    tools = ("dry_run", "doctor", "enrollment_test", "inspection")
    files = [f"tests/estserver/tools/test_{each}.py" for each in tools]
    assert run_tests(server, tmp_path, *files) >= LEAST


@pytest.mark.postgresql
@pytest.mark.timeout(1200)
def test_T19_T20_the_outbox_on_postgresql(server, tmp_path):
    assert run_tests(server, tmp_path, *OUTBOX_FILES) >= LEAST - 20


@pytest.mark.postgresql
@pytest.mark.timeout(1200)
def test_I4_races_where_every_transaction_is_serializable(server, tmp_path):
    """Aurora DSQL and CockroachDB have no weaker isolation level. Writers start over there."""
    server.execute("ALTER SYSTEM SET default_transaction_isolation = 'serializable'")
    server.execute("SELECT pg_reload_conf()")
    try:
        passed = run_tests(
            server,
            tmp_path,
            *("-k", "races or idempotency or transactions or waits or isolation"),
            "tests/pki/state",
            EST_RACE_ROUNDS="20",
            EST_ISOLATION="serializable",
        )
    finally:
        server.execute("ALTER SYSTEM RESET default_transaction_isolation")
        server.execute("SELECT pg_reload_conf()")
    assert passed >= 30
