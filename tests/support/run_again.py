"""Run some of the tests again on another database, in a process of their own.

Django chooses its database when it starts, so that another database needs another process.
"""

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support.postgresql import DIRECTORY_VARIABLE, PostgreSQLServer

ROOT = Path(__file__).parent.parent.parent

READ_SQLITES_PLAN = (
    "tests/pki/admin/test_search.py::test_no_search_walks_the_table",
    "tests/pki/admin/test_certificate_page.py::test_no_typed_filter_walks_the_table",
    "tests/pki/admin/test_audit_page.py::test_no_filter_walks_the_trail",
    "tests/pki/devices/test_states.py::test_no_list_of_devices_walks_the_table",
    "tests/pki/search/test_find.py::test_no_form_walks_a_table",
    "tests/iotprov/admin/test_outbox.py::test_a_search_walks_no_table",
    "tests/pki/denylist/test_plans.py::test_what_an_entry_names_is_found_by_an_index",
    "tests/pki/denylist/test_plans.py::test_intents_are_found_by_an_index",
    "tests/estserver/console/test_overview.py::"
    "test_counts_by_expiry_read_the_index_and_no_row_of_another_month",
    "tests/pki/admin/test_fleet_lists.py::test_times_are_read_along_their_index",
)
ONLY_ASKS_RULES = "tests/pki/state/test_trust_machine.py"
"""It takes minutes, in one transaction and one thread, so that no database makes a difference."""

OUTBOX_FILES = [
    "tests/iotprov/provisioning/test_workers.py",
    "tests/iotprov/provisioning/test_outbox.py",
    "tests/estserver/operations/test_schedule.py",
]


PAGES_AND_JOBS = ("admin", "devices", "jobs", "management", "search")
"""Folders of tests/pki about what people do."""


def state_files() -> list[str]:
    """Return the files of tests/pki/state that run on another database."""
    files = [
        str(path.relative_to(ROOT)) for path in sorted((ROOT / "tests/pki/state").glob("test_*.py"))
    ]
    return [file for file in files if file != ONLY_ASKS_RULES]


def ca_parts() -> dict[str, list[str]]:
    """Return `state_files` and `ca_files` in parts, for workers that run at the same time."""
    people = [file for file in ca_files() if file.split("/")[2] in PAGES_AND_JOBS]
    return {
        "states": state_files(),
        "pages and jobs": people,
        "rules": [file for file in ca_files() if file not in people],
    }


def ca_files() -> list[str]:
    """Return the files of tests/pki that use the database, without tests/pki/state."""
    return [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "tests/pki").rglob("test_*.py"))
        if not {"signers", "state"} & {*path.parts}
        if "db" in path.read_text() or "est_client" in path.read_text()
        if "aws_cloud" not in path.read_text()  # calls of AWS are the same on any database
    ]


def run_tests(
    server: PostgreSQLServer, tmp_path: Path, *arguments: str, name: str, **environment: str
) -> int:
    """Run pytest on ``server``; return the number of tests. Fails with its output if one fails."""
    report = tmp_path / "report.xml"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *(*arguments, f"--junitxml={report}"),
            *(f"--deselect={each}" for each in READ_SQLITES_PLAN),
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
        pytest.fail(f"on {name}:\n{done.stdout}", pytrace=False)
    suite = ElementTree.parse(report).getroot().find("testsuite")
    assert suite is not None
    assert suite.attrib["skipped"] == "0", done.stdout
    return int(suite.attrib["tests"])
