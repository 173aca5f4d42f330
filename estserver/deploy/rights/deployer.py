"""The policies of the person who deploys: the rights of all resources, added up.

Where a resource is ``*``, IAM knows no narrower one for that action, or AWS chooses its name only
when it makes it.
"""

from collections.abc import Iterable, Sequence

from estserver.deploy.deployment import Deployment
from estserver.deploy.rights.statements import (
    Document,
    ResourceRights,
    Statement,
    allow,
    document,
)

MANAGED_POLICY_CHARACTERS = 6144
"""How long a managed policy may be, without white space.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

_OF_THE_GATEWAY = {
    "apigateway",
    "cloudwatch",
    "kms",
    "logs",
    "route53",
    "secretsmanager",
    "wafv2",
}
"""Services whose statements are in the second policy, because one policy could not hold all."""


def policies_to_deploy(
    deployment: Deployment, rights: Sequence[ResourceRights]
) -> dict[str, Document]:
    """Return the policies for `zappa deploy` and `update`, and for the aws_ commands, by name.

    `aws_destroy` needs ``policies_to_remove`` besides.
    """
    looking = {action for each in rights for action in each.look}
    statements = _added_up(statement for each in rights for statement in each.deploy)
    of_gateway = [each for each in statements if _services(each) <= _OF_THE_GATEWAY]
    others = [each for each in statements if each not in of_gateway]
    return {
        f"{deployment.project}-deploy-functions": document([allow("Look", looking, "*"), *others]),
        f"{deployment.project}-deploy-gateway": document(of_gateway),
    }


def policies_to_remove(
    deployment: Deployment, rights: Sequence[ResourceRights]
) -> dict[str, Document]:
    """Return the further policy for `aws_destroy`, by its name."""
    statements = _added_up(statement for each in rights for statement in each.remove)
    return {f"{deployment.project}-remove": document(statements)}


def _added_up(statements: Iterable[Statement]) -> list[Statement]:
    """Join statements of the same Sid, in the order in which each Sid comes first."""
    by_sid: dict[str, Statement] = {}
    for each in statements:
        sid = each["Sid"]
        by_sid[sid] = _joined(by_sid[sid], each) if sid in by_sid else each
    return list(by_sid.values())


def _joined(one: Statement, other: Statement) -> Statement:
    """Join two statements. Raises AssertionError when that would allow more than the two do."""
    resources = list(dict.fromkeys([*_resources(one), *_resources(other)]))
    joined = allow(
        one["Sid"],
        {*one["Action"], *other["Action"]},
        resources[0] if len(resources) == 1 else resources,
        one.get("Condition"),
    )
    is_as_narrow = _allowed(joined) == _allowed(one) | _allowed(other)
    if not is_as_narrow or one.get("Condition") != other.get("Condition"):
        raise AssertionError(f"Two resources state {one['Sid']} with different rights.")
    return joined


def _allowed(statement: Statement) -> set[tuple[str, str]]:
    """The pairs of action and resource that mean something: both of the same service."""
    return {
        (action, resource)
        for action in statement["Action"]
        for resource in _resources(statement)
        if resource == "*" or resource.split(":")[2] == action.partition(":")[0]
    }


def _resources(statement: Statement) -> list[str]:
    found = statement["Resource"]
    return [found] if isinstance(found, str) else list(found)


def _services(statement: Statement) -> set[str]:
    return {action.partition(":")[0] for action in statement["Action"]}
