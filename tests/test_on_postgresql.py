"""Tests of the CA and the outbox, run again on PostgreSQL.

Django chooses its database when it starts, so that another database needs another process.
"""

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support.postgresql import DIRECTORY_VARIABLE, private_server

ROOT = Path(__file__).parent.parent
LEAST = 60
"""The least number of tests in a run. A smaller number means that the selection is broken."""


READS_SQLITES_PLAN = "tests/pki/admin/test_search.py::test_no_search_walks_the_table"
ONLY_ASKS_RULES = "tests/pki/state/test_trust_machine.py"
"""It takes minutes, in one transaction and one thread, so that no database makes a difference."""


@pytest.fixture(scope="module")
def server():
    """Start a PostgreSQL server for the tests of this module."""
    with private_server() as server:
        yield server


def run_tests(server, tmp_path, *arguments, **environment):
    """Run pytest on ``server``; return the number of tests. Fails with its output if one fails."""
    report = tmp_path / "report.xml"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *(*arguments, f"--junitxml={report}"),
            f"--deselect={READS_SQLITES_PLAN}",
            f"--ignore={ONLY_ASKS_RULES}",
        ],
        cwd=ROOT,
        env={
            **os.environ,
            "TEST_DATABASE_URL": server.url(),
            DIRECTORY_VARIABLE: str(server.directory),
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.fail(f"on PostgreSQL:\n{done.stdout}", pytrace=False)
    counts = ElementTree.parse(report).getroot().find("testsuite").attrib
    assert counts["skipped"] == "0", done.stdout
    return int(counts["tests"])


@pytest.mark.postgresql
@pytest.mark.timeout(1200)
def test_T16_the_ca_on_postgresql(server, tmp_path):
    files = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "tests/pki").rglob("test_*.py"))
        if not {"signers", "state"} & {*path.parts}
        if "db" in path.read_text() or "est_client" in path.read_text()
        if "aws_cloud" not in path.read_text()  # calls of AWS are the same on any database
    ]
    assert run_tests(server, tmp_path, "tests/pki/state", *files) >= LEAST


@pytest.mark.postgresql
@pytest.mark.timeout(1200)
def test_T58_readiness_on_postgresql(server, tmp_path):
    files = ["tests/estserver/operations/test_readiness.py"]
    # The disk is the server's there, and no test may fill it.
    assert run_tests(server, tmp_path, *files, "-k", "not disk") > 5


@pytest.mark.postgresql
@pytest.mark.timeout(1200)
def test_T19_T20_the_outbox_on_postgresql(server, tmp_path):
    files = [
        "tests/iotprov/provisioning/test_workers.py",
        "tests/iotprov/provisioning/test_outbox.py",
        "tests/estserver/operations/test_schedule.py",
    ]
    assert run_tests(server, tmp_path, *files) >= LEAST - 20


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
