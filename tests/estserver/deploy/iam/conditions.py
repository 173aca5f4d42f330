"""Conditions of IAM statements, as IAM evaluates them.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
Only the operators that the project's policies use are known. Any other one raises, so that no test
passes because a condition was not understood.
"""

import ipaddress
import re
from functools import cache


class NotUnderstood(Exception):
    """A part of a policy that this evaluator does not know."""


SETS = {"ForAllValues", "ForAnyValue"}


def holds(condition, context):
    """Whether each key of each operator of a Condition holds in a request's context."""
    return all(
        _key_holds(operator, key, _listed(wanted), context)
        for operator, keys in condition.items()
        for key, wanted in keys.items()
    )


def keys_of(condition):
    """The condition keys that a Condition names."""
    return {key for keys in condition.values() for key in keys}


def _key_holds(operator, key, wanted, context):
    quantifier, _, name = operator.rpartition(":")
    if quantifier and quantifier not in SETS:
        raise NotUnderstood(operator)
    has_default = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    folded = {known.casefold(): value for known, value in context.items()}
    values = folded.get(key.casefold())
    if name == "Null":
        is_missing = values is None or values == []
        return is_missing == (wanted[0].casefold() == "true")
    if name not in OPERATORS:
        raise NotUnderstood(operator)
    compare, is_negated = OPERATORS[name]
    if values is None:
        # A missing key fails a comparison, and fulfils a negated one or one over all values.
        return has_default or is_negated or quantifier == "ForAllValues"
    if isinstance(values, list) and not quantifier:
        raise NotUnderstood(f"{operator} of {key}, which has several values")
    each = [_value_holds(compare, is_negated, value, wanted) for value in _listed(values)]
    return any(each) if quantifier == "ForAnyValue" else all(each)


def _value_holds(compare, is_negated, value, wanted):
    return any(compare(value, pattern) for pattern in wanted) != is_negated


@cache
def _pattern(text):
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(char, re.escape(char)) for char in text), re.DOTALL)


@cache
def like(value, pattern):
    """Whether a pattern with ``*`` and ``?`` stands for all of a value."""
    return bool(_pattern(pattern).fullmatch(value))


@cache
def arn_like(value, pattern):
    """Whether a pattern stands for an ARN, in which no star of it reaches over a colon.

    The sixth part, the resource, may have colons of its own.
    """
    parts, wanted = value.split(":", 5), pattern.split(":", 5)
    return len(parts) == len(wanted) and all(map(like, parts, wanted))


def _is_in_network(value, network):
    return ipaddress.ip_address(value) in ipaddress.ip_network(network)


def _is_same(value, wanted):
    return value == wanted


def _is_same_bool(value, wanted):
    return value.casefold() == wanted.casefold()


OPERATORS = {
    "ArnEquals": (arn_like, False),
    "ArnLike": (arn_like, False),
    "ArnNotEquals": (arn_like, True),
    "ArnNotLike": (arn_like, True),
    "Bool": (_is_same_bool, False),
    "IpAddress": (_is_in_network, False),
    "NotIpAddress": (_is_in_network, True),
    "StringEquals": (_is_same, False),
    "StringLike": (like, False),
    "StringNotEquals": (_is_same, True),
    "StringNotLike": (like, True),
}
"""How a value is compared, and whether the operator is true when no comparison is."""


def _listed(value):
    return value if isinstance(value, list) else [value]
