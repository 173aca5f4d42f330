"""Messages that devices and operators read are sentences of one style."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ERRORS = {
    "AuthorityUnavailable",
    "Busy",
    "CSRRejected",
    "ClientRefused",
    "CommandError",
    "DeviceDenied",
    "DocumentError",
    "EnrollmentRefused",
    "OperatorError",
    "SignerRefused",
    "SignerUnavailable",
    "TemplateError",
    "ThingInUse",
}
"""Exceptions whose last text is a message for people; system checks are read beside them."""
CHECKS = {"Error", "Info", "Warning"}
CONTRACTION = re.compile(
    r"\b\w+n't\b|\b(?:it|that|there|who)'s (?:a|an|no|not|the)\b", re.IGNORECASE
)

NAME = re.compile(r"\w+[_.:{/][\w{}/]|[a-z]+[A-Z]\w+")
"""A message may begin with a name, such as zappa_settings.json or enrollmentHookClass."""


def messages():
    """Each message that the product's source raises: file and line, and its text.

    A value that is put in stands as ``{}``.
    """
    for package in ("pki", "iotprov", "estserver"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and (text := _message_of(node)):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", text


def _message_of(call):
    name = getattr(call.func, "id", getattr(call.func, "attr", ""))
    if name in ERRORS:
        texts = [_text(argument) for argument in call.args]
        return next((text for text in reversed(texts) if text), None)
    is_check = name in CHECKS and any(keyword.arg == "id" for keyword in call.keywords)
    return _text(call.args[0]) if is_check and call.args else None


def _text(node):
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            part.value if isinstance(part, ast.Constant) else "{}" for part in node.values
        )
    return None


def test_the_source_is_read():
    assert len(list(messages())) > 200


@pytest.mark.parametrize(
    ("fault", "is_at_fault"),
    [
        ("begins with a small letter", lambda text: text[0].islower() and not NAME.match(text)),
        ("has no full stop", lambda text: not text.rstrip().endswith((".", "{}", "?", ":"))),
        ("is contracted", lambda text: CONTRACTION.search(text) is not None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_message_is_a_sentence(fault, is_at_fault):
    found = [f"{place} {fault}: {text}" for place, text in messages() if is_at_fault(text)]

    assert found == []
