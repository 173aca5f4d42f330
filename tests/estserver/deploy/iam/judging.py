"""Judge recorded calls, one after the other, by the policies that their principals have."""

from dataclasses import dataclass
from functools import cached_property

from estserver.deploy.recipe import deployer_policies, remover_policies
from tests.estserver.deploy.iam.account import Account
from tests.estserver.deploy.iam.calls import PARTITION
from tests.estserver.deploy.iam.decisions import Request, applies, is_allowed, statements
from tests.estserver.deploy.iam.operations import requests_of

DEPLOYER, REMOVER = "deployer", "remover"
SOMEBODY = "somebody"
"""Makes what is there before; judged by no policy."""


@dataclass(frozen=True)
class Judged:
    """One request of a principal, with the statements that it was judged by."""

    principal: str
    request: Request
    policies: tuple
    resource_policy: dict | None

    @cached_property  # a test asks once for each statement of the policies
    def is_allowed(self):
        """Whether IAM allows it."""
        return is_allowed(self.request, self.policies, self.resource_policy, self.principal)

    @cached_property
    def allowing(self):
        """The statements of the principal that allow it."""
        return [
            each
            for each in statements(self.policies)
            if each["Effect"] == "Allow" and applies(each, self.request)
        ]

    def __str__(self):
        action, resource = self.request.action, self.request.resource
        context = {k: v for k, v in self.request.context.items() if not k.startswith("aws:Secure")}
        return (
            f"{self.principal} may not {action} on {resource}, which {self.request.needed_by} "
            f'takes. Missing: {{"Effect": "Allow", "Action": "{action}", "Resource": '
            f'"{resource}"}}, with {context}'
        )


def judge(calls, deployment, templates=None):
    """What IAM is asked about calls, in their order, each different request once."""
    account = Account(deployment.account, templates)
    deploying = tuple(deployer_policies(deployment).values())
    removing = (*deploying, *remover_policies(deployment).values())
    written = {id(policies): str(policies) for policies in (deploying, removing)}
    found = {}
    for call in calls:
        for request in requests_of(call, account) if call.principal != SOMEBODY else ():
            if call.principal == DEPLOYER:
                policies = deploying
            elif call.principal == REMOVER:
                policies = removing
            else:
                policies = tuple(account.policies_of(call.principal))
            principal = call.principal
            if call.principal in account.functions:
                principal = account.functions[call.principal]
            else:
                principal = f"arn:{PARTITION}:iam::{account.number}:role/{principal}"
            as_text = written.get(id(policies)) or str(policies)
            key = (principal, request, str(sorted(request.context.items())), as_text)
            if key not in found:
                policy = account.resource_policy(request.resource)
                found[key] = Judged(principal, request, policies, policy)
        account.learn(call)
    return list(found.values())


def refused(judged):
    """The requests that IAM would refuse, as sentences."""
    return sorted({str(each) for each in judged if not each.is_allowed})


def unused_statements(judged, policies):
    """The Sids of the statements of these policies that allowed no request."""
    used = {each["Sid"] for one in judged for each in one.allowing}
    return {each["Sid"] for each in statements(policies)} - used


def refused_without(judged, sid):
    """The requests that IAM would refuse if the statement ``sid`` were not there."""
    return [
        each
        for each in judged
        if each.is_allowed and {one["Sid"] for one in each.allowing} == {sid}
    ]
