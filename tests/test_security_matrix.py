"""docs/security.md names the tests that exist, and has a row for every rule that a test proves."""

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
DOCUMENT = TESTS.parent / "docs" / "security.md"

RULES_OF_A_TEST = re.compile(r"test_((?:[TWI][0-9]+_)+)")
NAMED_TEST = re.compile(r"`(test_\w+)`")
ROW = re.compile(r"\| (?P<rule>[TWI][0-9]+) \| .+ \|")


@pytest.fixture(scope="module")
def existing():
    """The names of all test functions."""
    return {
        node.name
        for path in TESTS.rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def rules_of(test):
    """The rules that a test's name begins with: W19 and T11 for test_W19_T11_no_flipped_byte."""
    match = RULES_OF_A_TEST.match(test)
    return match[1].strip("_").split("_") if match else []


@pytest.fixture(scope="module")
def rows():
    """The tables' rows, by rule."""
    found = {}
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        match = ROW.fullmatch(line)
        if match:
            assert match["rule"] not in found, f"{match['rule']} has two rows"
            found[match["rule"]] = line
    return found


def test_every_test_that_the_document_names_exists(existing):
    named = set(NAMED_TEST.findall(DOCUMENT.read_text(encoding="utf-8")))

    assert sorted(named - existing) == []


def test_every_rule_that_a_test_proves_has_a_row(rows, existing):
    proved = {rule for test in existing for rule in rules_of(test)}

    assert sorted(proved - rows.keys()) == []


def test_a_rule_that_tests_prove_names_one_of_them_and_any_other_says_why_not(rows, existing):
    proved = {rule for test in existing for rule in rules_of(test)}
    unnamed = {rule for rule, row in rows.items() if not NAMED_TEST.search(row)}
    unexplained = {rule for rule in unnamed if not re.search(r"Not yet|No test", rows[rule])}

    assert sorted(unnamed & proved) == []
    assert sorted(unexplained) == []
