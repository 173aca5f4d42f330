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
    length,
)

MANAGED_POLICY_CHARACTERS = 6144
"""How long a managed policy may be, without white space.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

_GROUPS = {
    **dict.fromkeys(("apigateway", "cloudwatch", "logs", "route53", "wafv2"), "gateway"),
    **dict.fromkeys(("kms", "s3", "secretsmanager"), "storage"),
    **dict.fromkeys(("backup", "backup-storage", "dsql"), "database"),
}
"""The policy that a service's statements are in, because one policy could not hold all of them.

Statements of every other service, and those of several groups, are in ``functions``.
"""


def policies_to_deploy(
    deployment: Deployment, rights: Sequence[ResourceRights]
) -> dict[str, Document]:
    """Return the policies for `zappa deploy` and `update`, and for the aws_ commands, by name.

    `aws_destroy` needs ``policies_to_remove`` besides.
    """
    looking = {action for each in rights for action in each.look}
    statements = [
        allow("Look", looking, "*"),
        *_added_up(statement for each in rights for statement in each.deploy),
    ]
    policies: dict[str, Document] = {}
    for group in ("functions", "gateway", "storage", "database"):
        theirs = [each for each in statements if _group(each) == group]
        if theirs:  # no database of its own: no policy for one
            policies |= _fitting(f"{deployment.project}-deploy-{group}", theirs)
    return policies


def policies_to_remove(
    deployment: Deployment, rights: Sequence[ResourceRights]
) -> dict[str, Document]:
    """Return the further policies for `aws_destroy`, by name."""
    statements = _added_up(statement for each in rights for statement in each.remove)
    return _fitting(f"{deployment.project}-remove", statements)


def _group(statement: Statement) -> str:
    groups = {_GROUPS.get(service, "functions") for service in _services(statement)}
    return groups.pop() if len(groups) == 1 else "functions"


def _fitting(name: str, statements: Sequence[Statement]) -> dict[str, Document]:
    """Return the statements as policies that IAM takes: NAME, and NAME-2 when one is too long."""
    pages: list[list[Statement]] = [[]]
    for each in statements:
        if pages[-1] and length(document([*pages[-1], each])) > MANAGED_POLICY_CHARACTERS:
            pages.append([])
        pages[-1].append(each)
    return {
        name if number == 1 else f"{name}-{number}": document(page)
        for number, page in enumerate(pages, start=1)
    }


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
