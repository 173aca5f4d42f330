"""What IAM decides about a request: an explicit denial, then an allowance, else a silent denial.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from dataclasses import dataclass, field

from tests.estserver.deploy.iam.conditions import NotUnderstood, arn_like, holds, like

ELEMENTS = {
    *("Sid", "Effect", "Condition", "Principal", "NotPrincipal"),
    *("Action", "NotAction", "Resource", "NotResource"),
}
MUST_ALLOW = ("kms:", "sts:AssumeRole")
"""Actions that the resource's own policy must allow; elsewhere in an account one of the two does.
https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html
"""


@dataclass(frozen=True)
class Request:
    """One action on one resource, as IAM is asked about it."""

    action: str
    resource: str
    context: dict = field(default_factory=dict, hash=False)
    needed_by: str = field(default="", compare=False)
    """The call that it belongs to, for messages."""

    def __str__(self):
        return f"{self.action} on {self.resource}"


def is_allowed(request, policies, resource_policy=None, principal=""):
    """Whether a principal of the account may, with these policies of its own."""
    theirs = statements(policies)
    on_it = [
        statement
        for statement in statements([resource_policy] if resource_policy else [])
        if _is_of(statement, principal)
    ]
    matching = [each for each in [*theirs, *on_it] if applies(each, request)]
    if any(each["Effect"] == "Deny" for each in matching):
        return False
    by_itself = any(each in theirs for each in matching if each["Effect"] == "Allow")
    by_resource = [each for each in on_it if each in matching]
    if request.action.startswith(MUST_ALLOW) and resource_policy is not None:
        # A key's policy that names the account hands the decision to IAM's policies.
        hands_over = any(_names_account(each) for each in by_resource)
        return (by_itself and hands_over) or any(not _names_account(each) for each in by_resource)
    return by_itself or bool(by_resource)


def statements(policies):
    """The statements of policies; a single one may stand without a list."""
    return [each for policy in policies for each in _listed(policy["Statement"])]


def applies(statement, request):
    """Whether a statement is about a request. Raises ``NotUnderstood``."""
    if unknown := statement.keys() - ELEMENTS:
        raise NotUnderstood(f"elements {sorted(unknown)}")
    if statement["Effect"] not in ("Allow", "Deny"):
        raise NotUnderstood(f"Effect {statement['Effect']}")
    return (
        _names(statement, "Action", request.action)
        and _names(statement, "Resource", request.resource)
        and holds(statement.get("Condition", {}), request.context)
    )


def _names(statement, element, value):
    """Whether Action or Resource names the value, or NotAction or NotResource does not.

    A statement of a trust policy has neither Resource nor NotResource.
    """
    if element in statement:
        return any(_is_named(element, value, each) for each in _listed(statement[element]))
    if f"Not{element}" in statement:
        named = _listed(statement[f"Not{element}"])
        return not any(_is_named(element, value, each) for each in named)
    if element == "Resource" and "Principal" in statement:
        return True
    raise NotUnderstood(f"a statement without {element}")


def _is_named(element, value, pattern):
    if element == "Action":
        return like(value.casefold(), pattern.casefold())
    return pattern == "*" or arn_like(value, pattern)


def _is_of(statement, principal):
    """Whether a statement of a resource's policy is about the principal, an ARN or a service."""
    if "NotPrincipal" in statement:
        raise NotUnderstood("NotPrincipal")
    found = statement["Principal"]
    if found == "*":
        return True
    named = [each for kind in ("AWS", "Service") for each in _listed(found.get(kind, []))]
    account = principal.split(":")[4] if principal.startswith("arn:") else ""
    return any(
        each in ("*", principal) or (_account_of(each) or "none") == account for each in named
    )


def _names_account(statement):
    found = statement["Principal"]
    return found != "*" and any(_account_of(each) for each in _listed(found.get("AWS", [])))


def _account_of(named):
    """The account that ``arn:aws:iam::ACCOUNT:root`` stands for, "" for another principal."""
    return named.split(":")[4] if named.startswith("arn:") and named.endswith(":root") else ""


def _listed(value):
    return list(value) if isinstance(value, list | tuple) else [value]
