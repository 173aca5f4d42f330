"""Statements that the configuration adds to the functions' roles (`functionPoliciesPath`).

Hooks and external PKIs call AWS with the role of the function that they run in, and only whoever
deploys knows which calls those are. The file is JSON: a list of IAM statements for each stage.

    {"est": [{"Sid": "AskInventory", "Effect": "Allow", "Action": "dynamodb:GetItem",
              "Resource": "arn:aws:dynamodb:eu-central-1:123456789012:table/devices"}]}
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pki.operators.errors import OperatorError

KEY = "functionPoliciesPath"
STAGES = ("est", "admin")
_ELEMENTS = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}
_ACTION = re.compile(r"[a-z0-9-]+:[A-Za-z0-9*?]+")
"""An action names its service, so that no statement allows all of AWS."""


def added_statements(path: Path | None, stage: str) -> list[dict[str, Any]]:
    """Return the statements of a file for a stage's function; none without a file.

    Raises ``OperatorError`` with every problem of the file.
    """
    if path is None:
        return []
    found = _read(path)
    if problems := list(_problems(found)):
        raise OperatorError(f"{KEY} ({path}) cannot be used: {' '.join(problems)}")
    return [
        {**statement, "Sid": statement.get("Sid") or f"Added{number}"}
        for number, statement in enumerate(found.get(stage, []), start=1)
    ]


def wildcards(statements: list[dict[str, Any]]) -> list[str]:
    """Return what statements allow with wildcards, as phrases for a person to review."""
    return [
        f"{statement['Sid']} allows {action} on {resource}"
        for statement in statements
        if statement["Effect"] == "Allow"
        for action in _listed(statement["Action"])
        for resource in _listed(statement["Resource"])
        if "*" in action or "?" in action or resource == "*"
    ]


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OperatorError(
            f"{KEY} names {path}, which cannot be read ({error.strerror}). Correct the path."
        ) from error
    except ValueError as error:
        raise OperatorError(f"{KEY} ({path}) is not JSON: {error}. Correct the file.") from error
    if not isinstance(found, dict):
        raise OperatorError(
            f"{KEY} ({path}) holds no JSON object. Write a list of IAM statements for each of "
            f"{' and '.join(STAGES)}."
        )
    return found


def _problems(found: Mapping[str, Any]) -> Iterator[str]:
    for stage, statements in found.items():
        if stage not in STAGES:
            yield f"There is no stage {stage!r}, only {' and '.join(STAGES)}."
        elif not isinstance(statements, list):
            yield f"{stage} is not a list of statements."
        else:
            sids = [each.get("Sid") for each in statements if isinstance(each, dict)]
            for number, statement in enumerate(statements, start=1):
                where = f"Statement {number} of {stage}"
                yield from (f"{where} {problem}." for problem in _statement_problems(statement))
            for sid in sorted({str(sid) for sid in sids if sid and sids.count(sid) > 1}):
                yield f"{stage} has several statements with the Sid {sid}."


def _statement_problems(statement: Any) -> Iterator[str]:
    if not isinstance(statement, dict):
        yield "is not a JSON object"
        return
    if unknown := sorted(statement.keys() - _ELEMENTS):
        yield f"has {', '.join(unknown)}, and only {', '.join(sorted(_ELEMENTS))} are known"
    if not re.fullmatch("[A-Za-z0-9]+", str(statement.get("Sid", "Added"))):
        yield "has a Sid with other characters than letters and digits"
    if statement.get("Effect") not in ("Allow", "Deny"):
        yield "has no Effect Allow or Deny"
    for element in ("Action", "Resource"):
        names = [name for name in (element, f"Not{element}") if name in statement]
        if len(names) != 1:
            yield f"needs either {element} or Not{element}"
        elif not _are_texts(statement[names[0]]):
            yield f"has a {names[0]} that is neither a text nor a list of texts"
        elif names[0] != element and statement.get("Effect") == "Allow":
            yield f"allows everything but its {names[0]}; name what it allows"
    actions = statement.get("Action", [])
    if _are_texts(actions) and statement.get("Effect") == "Allow":
        for action in _listed(actions):
            if not _ACTION.fullmatch(action):
                yield f"allows {action}; an action is written service:Name"
    if not isinstance(statement.get("Condition", {}), dict):
        yield "has a Condition that is not a JSON object"


def _are_texts(value: Any) -> bool:
    return bool(value) and all(isinstance(each, str) and each for each in _listed(value))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
