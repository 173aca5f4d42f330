"""What each call asks of IAM: actions, the resources that they are about, and the context.

By rule an action has the operation's name, and the resources are those that the parameters name
(rule.py). The rows are what AWS names otherwise or asks in addition, each with AWS's page
(rows.py). An operation for which neither is enough raises ``NoRow``.
"""

from tests.estserver.deploy.iam import reference, rows
from tests.estserver.deploy.iam.calls import arn, tags_in
from tests.estserver.deploy.iam.decisions import Request
from tests.estserver.deploy.iam.rule import by_rule

FREE = {"sts:GetCallerIdentity"}
"""Everybody may ask who they are.
https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
"""


def requests_of(call, account):
    """What IAM is asked about a call, in this account as it is before the call."""
    if call.name in FREE:
        return []
    row = rows.OF_OPERATION.get(call.name) or rows.OF_SERVICE.get(call.service) or by_rule
    asked = [*row(call, account), *rows.ADDED.get(call.name, _no_more)(call, account)]
    return [
        Request(action, resource, _context(call, account, action, resource, more), call.name)
        for action, resource, more in asked
    ]


def _no_more(call, account):
    return []


def _context(call, account, action, resource, more):
    tags = tags_in(call.parameters)
    held = account.tags.get(resource.removesuffix(":*"), {})
    keys = {
        **{f"aws:RequestTag/{key}": value for key, value in tags.items()},
        **{f"aws:ResourceTag/{key}": value for key, value in held.items()},
        **({"aws:TagKeys": sorted(tags)} if tags else {}),
        **_aliases(account, resource),
    }
    known = {k: v for k, v in keys.items() if reference.knows_key(action, k, resource)}
    common = {"aws:SecureTransport": "true", "aws:PrincipalAccount": account.number}
    if call.principal in account.functions:
        function = f"function:{call.principal}"
        common["lambda:SourceFunctionArn"] = arn(call, account.number, "lambda", function)
    return {**common, **known, **more}


def _aliases(account, resource):
    # https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-resource-aliases
    if ":kms:" not in resource or ":key/" not in resource:
        return {}
    aliases = account.aliases_of(resource)
    return {"kms:ResourceAliases": aliases} if aliases else {}
