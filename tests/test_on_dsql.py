"""Tests of the CA, the outbox and the admin, run again on Aurora DSQL as PostgreSQL plays it.

tests/support/dsql is the cluster: it refuses what Aurora DSQL refuses. The product reaches it with
its own backend, AWS's adapter and a token. `make proof` runs everything, CI the shorter part.
"""

import os
import subprocess
import sys

import pytest

from estserver.dsql.grants import ADMIN_ROLE, DEVICE_ROLE, setup_statements
from tests.support import run_again
from tests.support.dsql.clients import connect
from tests.support.dsql.cluster import TESTER, dsql_cluster
from tests.support.dsql.conflicts import Plan
from tests.support.dsql.refusals import DATA_CONFLICT, SCHEMA_CONFLICT
from tests.support.postgresql import DIRECTORY_VARIABLE, private_server
from tests.support.run_again import OUTBOX_FILES, ROOT, ca_files

pytestmark = [pytest.mark.postgresql, pytest.mark.timeout(2400)]

STATE = "tests/pki/state"
ADMIN_FILES = [
    "tests/pki/admin",
    "tests/iotprov/admin/test_documents.py",
    "tests/iotprov/admin/test_outbox.py",
    "tests/iotprov/admin/test_registrations.py",
    "tests/estserver/console/test_pages.py",
]

ONLY_ON_POSTGRESQL = (
    "tests/pki/denylist/test_plans.py::"
    "test_on_postgresql_each_part_of_what_a_client_enrolled_has_an_index",
    "tests/pki/state/test_statements_together.py::"
    "test_looks_are_repeated_one_by_one_where_they_are_refused_together",
    "tests/pki/state/test_statements_together.py::"
    "test_looks_are_repeated_after_a_conflict_and_only_outside_of_a_transaction",
)
"""Tests that set PostgreSQL's planner, or count in a temporary sequence. A cluster has neither."""


@pytest.fixture
def server():
    """Start a PostgreSQL server of this test alone."""
    with private_server() as server:
        yield server


@pytest.fixture
def cluster(server):
    """Start a cluster with the roles and the schema that a deployment makes."""
    with dsql_cluster(server) as cluster:
        with connect(cluster) as session:
            for statement in setup_statements({ADMIN_ROLE: TESTER.arn, DEVICE_ROLE: TESTER.arn}):
                session.execute(statement)
        yield cluster


def url_of(cluster):
    """Return the URL that the admin's function has. Its environment leads to the port."""
    return f"dsql://{ADMIN_ROLE}@{cluster.host}/postgres"


@pytest.fixture
def run_tests(server, cluster, tmp_path):
    """Return a function that runs tests on the cluster and returns their number."""

    def run(*arguments, **environment):
        count = run_again.run_tests(
            server,
            tmp_path,
            *("-p", "tests.support.dsql.pytest_plugin", "--reuse-db"),
            *(f"--deselect={each}" for each in ONLY_ON_POSTGRESQL),
            *arguments,
            name="Aurora DSQL",
            TEST_DATABASE_URL=url_of(cluster),
            EST_ISOLATION="repeatable read",
            **cluster.environment(),
            **environment,
        )
        refused = [
            (sql, refusal)
            for sql, refusal in cluster.state.refusals
            if refusal not in (DATA_CONFLICT, SCHEMA_CONFLICT)
        ]
        assert not refused, refused[:5]
        return count

    return run


def test_T16_the_rules_of_enrollment_on_dsql(run_tests):
    selection = "idempotency or transactions or waits or isolation or failing_writes"
    assert run_tests(STATE, "-k", selection) >= 40


def test_T16_T57_races_where_a_fifth_of_the_commits_meets_another_one(run_tests, cluster):
    cluster.state.plan = Plan(commit=0.2, statement=0.01, begins_with="pki_", seed=7)
    files = ["tests/pki/state/test_races.py", "tests/pki/state/test_revoke_against_renew.py"]
    assert run_tests(*files, EST_RACE_ROUNDS="24") >= 15
    assert cluster.state.plan.injected > 50


def test_apps_that_others_wrote_have_their_tables_on_dsql(server, cluster):
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.dsql.third_party"],
        cwd=ROOT,
        env={
            **os.environ,
            **cluster.environment(),
            "TEST_DATABASE_URL": url_of(cluster),
            DIRECTORY_VARIABLE: str(server.directory),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.endswith("done\n"), done.stdout + done.stderr
    assert not cluster.state.refusals
    assert not cluster.state.query("SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid")


@pytest.mark.proof
def test_T16_the_whole_of_the_ca_on_dsql(run_tests):
    assert run_tests(STATE, *ca_files(), EST_RACE_ROUNDS="60") >= 300


@pytest.mark.proof
def test_T16_T57_long_races_with_conflicts_on_dsql(run_tests, cluster):
    cluster.state.plan = Plan(commit=0.2, statement=0.01, begins_with="pki_", seed=11)
    selection = "races or revoke_against_renew or release_against_enroll or waits"
    assert run_tests(STATE, "-k", selection, EST_RACE_ROUNDS="150") >= 20


@pytest.mark.proof
def test_T19_T20_the_outbox_on_dsql(run_tests):
    assert run_tests(*OUTBOX_FILES) >= 40


@pytest.mark.proof
def test_what_people_do_in_the_admin_on_dsql(run_tests):
    assert run_tests(*ADMIN_FILES, "tests/estserver/people") >= 60
