"""Statements of IAM policies, and what a resource says about the rights to it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from estserver.config import MADE_BY
from estserver.deploy.deployment import Deployment, StageName

Statement = dict[str, Any]
Document = dict[str, Any]


@dataclass(frozen=True)
class ResourceRights:
    """The rights that one kind of resource takes; its module says them, ``recipe`` lists them.

    The person who deploys gets ``look`` and ``deploy``, and gets ``remove`` for `aws_destroy`.
    Statements of several resources with the same Sid become one: see ``deployer``.
    """

    look: Sequence[str] = ()
    """Actions that only read, for which IAM knows no narrower resource than ``*``."""
    deploy: Sequence[Statement] = ()
    remove: Sequence[Statement] = ()
    functions: Mapping[StageName, Sequence[Statement]] = field(default_factory=dict)
    """What the function of a stage does with the resource while it runs."""


def document(statements: list[Statement]) -> Document:
    """Return a policy of these statements."""
    return {"Version": "2012-10-17", "Statement": statements}


def length(policy: Document) -> int:
    """Return the number of characters of a policy that IAM counts, which leaves out white space."""
    return len(json.dumps(policy, separators=(",", ":")))


def allow(
    sid: str,
    actions: Iterable[str],
    resources: str | list[str],
    condition: Mapping[str, Mapping[str, Any]] | None = None,
) -> Statement:
    """Return one Allow statement. The policies here contain no Deny statements."""
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
    """Return the condition that a resource carries the installation's tag.

    ``where`` is ``aws:ResourceTag``, or ``aws:RequestTag`` for a resource that is being made.
    """
    return {"StringEquals": {f"{where}/{MADE_BY}": deployment.project}}
