"""Statements of IAM policies."""

from collections.abc import Iterable, Mapping
from typing import Any

from estserver.config import MADE_BY
from estserver.deploy.deployment import Deployment

Statement = dict[str, Any]
Document = dict[str, Any]


def document(statements: list[Statement]) -> Document:
    """A policy."""
    return {"Version": "2012-10-17", "Statement": statements}


def allow(
    sid: str,
    actions: Iterable[str],
    resources: str | list[str],
    condition: Mapping[str, Mapping[str, Any]] | None = None,
) -> Statement:
    """A permission; there are no others."""
    statement: Statement = {
        "Sid": sid,
        "Effect": "Allow",
        "Action": sorted(actions),
        "Resource": resources,
    }
    if condition:
        statement["Condition"] = {key: dict(value) for key, value in condition.items()}
    return statement


def our_tag(deployment: Deployment, where: str) -> dict[str, dict[str, Any]]:
    """The condition that something carries our tag (``where``: ResourceTag or RequestTag)."""
    return {"StringEquals": {f"{where}/{MADE_BY}": deployment.project}}
