"""The evaluator decides as AWS's pages say IAM does."""

import pytest

from tests.estserver.deploy.iam.conditions import NotUnderstood, holds
from tests.estserver.deploy.iam.decisions import Request, is_allowed

BUCKET = "arn:aws:s3:::packages"
READER = "arn:aws:iam::123456789012:role/reader"


def allow(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def may(statements, action, resource=BUCKET, context=None, on_it=None):
    """Whether a principal with these statements may."""
    policies = [{"Statement": statements}]
    return is_allowed(Request(action, resource, context or {}), policies, on_it, READER)


@pytest.mark.parametrize(
    ("statement", "action", "resource", "expected"),
    [
        (allow("s3:GetObject"), "s3:GetObject", BUCKET, True),
        (allow("s3:getobject"), "s3:GetObject", BUCKET, True),
        (allow("s3:Get*"), "s3:GetObject", BUCKET, True),
        (allow("s3:Get?bject"), "s3:GetObject", BUCKET, True),
        (allow("s3:Get"), "s3:GetObject", BUCKET, False),
        (allow("*"), "s3:GetObject", BUCKET, True),
        (allow("s3:GetObject", BUCKET), "s3:GetObject", f"{BUCKET}/a", False),
        (allow("s3:GetObject", f"{BUCKET}/*"), "s3:GetObject", f"{BUCKET}/a/b", True),
        (allow("s3:GetObject", f"{BUCKET}/?"), "s3:GetObject", f"{BUCKET}/ab", False),
        (allow("s3:GetObject", [BUCKET, f"{BUCKET}/a"]), "s3:GetObject", f"{BUCKET}/a", True),
        # A star reaches over no colon of an ARN, but for those in the resource itself.
        (allow("a:B", "arn:aws:*:role/x"), "a:B", "arn:aws:iam::1:role/x", False),
        (allow("a:B", "arn:aws:logs:r:1:g:*"), "a:B", "arn:aws:logs:r:1:g:s:t", True),
        (allow("s3:GetObject", "arn:aws:s3:::Packages"), "s3:GetObject", BUCKET, False),
        ({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, "s3:GetObject", BUCKET, True),
        ({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}, "s3:GetObject", BUCKET, False),
        ({"Effect": "Allow", "Action": "*", "NotResource": BUCKET}, "a:B", BUCKET, False),
        ({"Effect": "Allow", "Action": "*", "NotResource": BUCKET}, "a:B", f"{BUCKET}x", True),
    ],
)  # fmt: skip
def test_a_statement_applies_by_action_and_resource(statement, action, resource, expected):
    assert may([statement], action, resource) is expected


def test_what_no_statement_allows_is_denied_and_a_denial_wins():
    everything = allow("*")
    denial = {"Effect": "Deny", "Action": "s3:PutObject", "Resource": f"{BUCKET}/*"}

    assert not may([], "s3:PutObject")
    assert may([everything, denial], "s3:GetObject", f"{BUCKET}/a")
    assert not may([everything, denial], "s3:PutObject", f"{BUCKET}/a")


def test_a_buckets_policy_allows_and_denies_beside_the_principals_own():
    def on_it(effect, principal="*", **more):
        statement = {"Effect": effect, "Principal": principal, "Action": "s3:*", "Resource": "*"}
        return {"Statement": [{**statement, **more}]}

    no_tls = {"Bool": {"aws:SecureTransport": "false"}}

    assert may([], "s3:GetObject", on_it=on_it("Allow", {"AWS": READER}))
    assert not may([], "s3:GetObject", on_it=on_it("Allow", {"AWS": f"{READER}2"}))
    assert not may([], "s3:GetObject", on_it=on_it("Allow", {"Service": "iot.amazonaws.com"}))
    for is_tls in ("true", "false"):
        context = {"aws:SecureTransport": is_tls}
        denied = on_it("Deny", Condition=no_tls)
        assert may([allow("s3:*")], "s3:GetObject", context=context, on_it=denied) is (
            is_tls == "true"
        )


def test_a_key_is_used_with_a_right_of_the_principal_and_the_keys_policy():
    key = "arn:aws:kms:eu-central-1:123456789012:key/1"
    root = {"AWS": "arn:aws:iam::123456789012:root"}

    def policy(principal):
        return {"Statement": allow("kms:*", Principal=principal)}

    def may_sign(statements, principal):
        return may(statements, "kms:Sign", key, on_it=policy(principal))

    assert may_sign([allow("kms:Sign", key)], root)
    assert not may_sign([], root)
    assert may_sign([], {"AWS": READER})
    assert not may_sign([allow("kms:Sign", key)], {"AWS": "arn:aws:iam::210987654321:root"})


@pytest.mark.parametrize(
    ("condition", "context", "expected"),
    [
        ({"StringEquals": {"k": "a"}}, {"k": "a"}, True),
        ({"StringEquals": {"K": ["b", "a"]}}, {"k": "a"}, True),
        ({"StringEquals": {"k": "a"}}, {"k": "A"}, False),
        ({"StringEquals": {"k": "a*"}}, {"k": "ab"}, False),
        ({"StringLike": {"k": "a*"}}, {"k": "ab"}, True),
        ({"StringEquals": {"k": "a"}}, {}, False),
        ({"StringEqualsIfExists": {"k": "a"}}, {}, True),
        ({"StringEqualsIfExists": {"k": "a"}}, {"k": "b"}, False),
        ({"StringNotEquals": {"k": ["a", "b"]}}, {"k": "a"}, False),
        ({"StringNotEquals": {"k": ["a", "b"]}}, {"k": "c"}, True),
        ({"StringNotEquals": {"k": "a"}}, {}, True),
        ({"StringEquals": {"k": "a", "l": "b"}}, {"k": "a"}, False),
        ({"StringEquals": {"k": "a"}, "Bool": {"l": "true"}}, {"k": "a", "l": "true"}, True),
        ({"Null": {"k": "true"}}, {}, True),
        ({"Null": {"k": "true"}}, {"k": "a"}, False),
        ({"Null": {"k": "false"}}, {"k": "a"}, True),
        ({"ArnEquals": {"k": "arn:aws:iam::1:role/*"}}, {"k": "arn:aws:iam::1:role/a/b"}, True),
        ({"ArnEquals": {"k": "arn:aws:iam::*:role/a"}}, {"k": "arn:aws:iam::1:user/a"}, False),
        ({"NotIpAddress": {"k": ["10.0.0.0/8"]}}, {"k": "10.1.1.1"}, False),
        ({"NotIpAddress": {"k": ["10.0.0.0/8"]}}, {"k": "192.0.2.1"}, True),
        ({"ForAllValues:StringEquals": {"k": ["a", "b"]}}, {"k": ["a"]}, True),
        ({"ForAllValues:StringEquals": {"k": ["a", "b"]}}, {"k": ["a", "c"]}, False),
        ({"ForAllValues:StringEquals": {"k": ["a"]}}, {}, True),
        ({"ForAnyValue:StringEquals": {"k": ["a"]}}, {"k": ["c", "a"]}, True),
        ({"ForAnyValue:StringEquals": {"k": ["a"]}}, {}, False),
    ],
)
def test_conditions_hold_as_aws_says(condition, context, expected):
    assert holds(condition, context) is expected


@pytest.mark.parametrize(
    "condition",
    [
        {"NumericLessThan": {"k": "1"}},
        {"ForSomeValues:StringEquals": {"k": "a"}},
        {"StringEquals": {"several": "a"}},
    ],
)
def test_what_the_evaluator_does_not_know_stops_the_test(condition):
    with pytest.raises(NotUnderstood):
        holds(condition, {"k": "1", "several": ["a"]})
    with pytest.raises(NotUnderstood):
        may([{**allow("a:B"), "Elsewhere": "x"}], "a:B")
