"""Reason codes: each keeps its status, and each reads as a sentence."""

import ast
import re
from pathlib import Path

import pytest
from django.core.management import call_command

from estserver.config import PROJECT_ROOT
from estserver.est.reasons import STATUS_BY_ERROR, HTTPReason, status_of
from estserver.reason_codes import REFERENCE_FILE, every_reason, http_status, reason_codes
from pki import exceptions as pki_exceptions
from pki.reasons import Reason

PUBLISHED = Path(__file__).with_name("reason_codes.txt")
"""A status and a code in each line. A line is added with a new code, and never changed."""

ENUMS = {"Reason": Reason, "HTTPReason": HTTPReason}


def test_a_code_keeps_its_status():
    today = {f"{http_status(reason).value} {reason.code}" for reason in every_reason()}

    assert today == set(PUBLISHED.read_text().splitlines())
    assert len(today) == len(every_reason())


def test_a_code_stands_in_one_of_the_two_enums():
    assert not {reason.code for reason in Reason} & {reason.code for reason in HTTPReason}


@pytest.mark.parametrize("reason", every_reason(), ids=str)
def test_meaning_and_advice_are_sentences(reason):
    for text in (reason.meaning, reason.advice):
        assert text[0].isupper()
        assert text.endswith(".")
        assert ";" not in text
        assert not re.search(r"n't|'(re|ll|ve)\b", text)


def test_the_reference_of_reason_codes_is_up_to_date(capsys):
    assert REFERENCE_FILE.read_text(encoding="utf-8") == reason_codes()
    call_command("reason_codes")
    assert capsys.readouterr().out == reason_codes()


def test_every_reason_is_in_the_reference_once_with_meaning_and_advice():
    lines = reason_codes().splitlines()

    for reason in every_reason():
        at = lines.index(f"### {reason.code}")
        assert lines[at + 2] == f"{reason.meaning} {reason.advice}"
    assert sum(line.startswith("### ") for line in lines) == len(every_reason())


def raised_in_code():
    """Every ``SomeError(Reason.X`` and ``SomeError(HTTPReason.X`` in the code, with its place."""
    for package in ("pki", "estserver", "iotprov"):
        for path in (PROJECT_ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                match node:
                    case ast.Call(
                        func=ast.Name(id=name),
                        args=[ast.Attribute(value=ast.Name(id=kind), attr=reason), *_],
                    ) if hasattr(pki_exceptions, name) and kind in ENUMS:
                        yield f"{path.name}:{node.lineno}", name, ENUMS[kind][reason]


def test_the_statuses_in_the_reference_are_those_of_the_errors_raised():
    raised = set()
    for where, name, reason in raised_in_code():
        error = getattr(pki_exceptions, name)
        if error not in STATUS_BY_ERROR:
            continue  # PKIError itself: only where HTTP answers, with a reason of HTTP
        assert http_status(reason) == status_of(error(reason)), where
        raised.add(reason)

    assert len(raised) > 35
