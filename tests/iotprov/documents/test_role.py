"""The role with which AWS IoT provisions devices."""

import json
from dataclasses import replace

import pytest

from iotprov.documents.role import DESCRIPTION, ensure_role, registration_policy_arn, trust_policy
from pki.aws.clients import aws_client
from pki.operators.errors import OperatorError, RemoteFailure
from tests.iotprov.aws_edge import aws_edge

__all__ = ["aws_edge"]

NAME = "ESTServerDeviceProvisioningRole"
ARN = f"arn:aws:iam::123456789012:role/{NAME}"
MANAGED = "arn:aws:iam::aws:policy/service-role/AWSIoTThingsRegistration"

OURS = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "iot.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
        }
    ],
}
SAMPLES = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "iot.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


@pytest.fixture
def target(settings):
    """The one that there is when none is configured."""
    (only,) = settings.IOT.targets
    return only


@pytest.fixture
def iam(aws_edge):
    """IAM, to arrange and to look."""
    return aws_client("iam")


def attached(iam):
    policies = iam.list_attached_role_policies(RoleName=NAME)["AttachedPolicies"]
    return [policy["PolicyArn"] for policy in policies]


def make_role(iam, trust, *, description="by the CDK", policies=(MANAGED,)):
    iam.create_role(
        RoleName=NAME, AssumeRolePolicyDocument=json.dumps(trust), Description=description
    )
    for arn in policies:
        iam.attach_role_policy(RoleName=NAME, PolicyArn=arn)


def test_T25_role_trusts_aws_iot_for_this_account_alone(iam, target, settings):
    settings.IOT = replace(settings.IOT, tags=(("team", "iot"),))

    role = ensure_role(target)

    made = iam.get_role(RoleName=NAME)["Role"]
    assert role.arn == made["Arn"] == ARN
    assert role.is_new
    assert made["AssumeRolePolicyDocument"] == OURS
    assert made["Tags"] == [{"Key": "team", "Value": "iot"}]
    assert attached(iam) == [MANAGED]
    assert iam.list_role_policies(RoleName=NAME)["PolicyNames"] == []


def test_second_run_changes_nothing(aws_edge, target):
    ensure_role(target)
    aws_edge.calls.clear()

    role = ensure_role(target)

    assert (role.changes, role.warnings, role.is_new) == ((), (), False)
    assert {name for name, _ in aws_edge.calls} == {"GetRole", "ListAttachedRolePolicies"}


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_managed_policy_is_the_partitions_own(partition):
    assert registration_policy_arn(partition) == (
        f"arn:{partition}:iam::aws:policy/service-role/AWSIoTThingsRegistration"
    )
    assert trust_policy("123456789012") == OURS


def test_samples_role_is_used_as_it_is_and_what_is_too_wide_is_said(iam, target):
    make_role(iam, SAMPLES, policies=(MANAGED, "arn:aws:iam::aws:policy/AdministratorAccess"))

    role = ensure_role(target)

    assert role.arn == ARN
    assert role.changes == ()
    extra, trust = role.warnings
    assert "AdministratorAccess attached as well" in extra
    assert '{"StringEquals": {"aws:SourceAccount": "123456789012"}}' in trust
    assert iam.get_role(RoleName=NAME)["Role"]["AssumeRolePolicyDocument"] == SAMPLES


def test_foreign_role_without_the_managed_policy_is_said(iam, target):
    make_role(iam, OURS, policies=())

    (warning,) = ensure_role(target).warnings

    assert f"was not made by this server, and lacks {MANAGED}" in warning
    assert attached(iam) == []


def test_foreign_role_that_trusts_others_too_is_said(iam, target):
    wide = json.loads(json.dumps(OURS))
    wide["Statement"][0]["Principal"] = {
        "Service": ["iot.amazonaws.com", "lambda.amazonaws.com"],
        "AWS": "arn:aws:iam::210987654321:root",
    }
    make_role(iam, wide)

    (warning,) = ensure_role(target).warnings

    assert "trusts arn:aws:iam::210987654321:root, lambda.amazonaws.com as well" in warning


def test_role_that_aws_iot_cannot_assume_is_refused(iam, target):
    wrong = json.loads(json.dumps(OURS).replace("iot.amazonaws", "lambda.amazonaws"))
    make_role(iam, wrong)

    with pytest.raises(OperatorError, match=r"does not trust iot\.amazonaws\.com.*Choose another"):
        ensure_role(target)


def test_role_of_ours_is_set_right_again(iam, target):
    make_role(iam, SAMPLES, description=DESCRIPTION, policies=())

    role = ensure_role(target)

    assert len(role.changes) == 2
    assert iam.get_role(RoleName=NAME)["Role"]["AssumeRolePolicyDocument"] == OURS
    assert attached(iam) == [MANAGED]


def test_crash_between_role_and_policy_is_mended_by_the_next_run(aws_edge, iam, target):
    aws_edge.fail("AttachRolePolicy", "ServiceFailure", status=500)
    with pytest.raises(RemoteFailure, match="iam:AttachRolePolicy failed with ServiceFailure"):
        ensure_role(target)

    ensure_role(target)

    assert attached(iam) == [MANAGED]


def test_dry_run_says_what_would_be_done(aws_edge, iam, target):
    role = ensure_role(target, dry_run=True)
    assert (role.arn, role.changes, role.is_new) == (ARN, (f"make the role {NAME}",), True)

    make_role(iam, SAMPLES, description=DESCRIPTION, policies=())
    assert len(ensure_role(target, dry_run=True).changes) == 2
    assert iam.get_role(RoleName=NAME)["Role"]["AssumeRolePolicyDocument"] == SAMPLES
    assert attached(iam) == []


def test_refused_by_iam_is_one_sentence(aws_edge, target):
    aws_edge.fail("GetRole", "AccessDenied", status=403)

    with pytest.raises(
        RemoteFailure, match=r"iam:GetRole failed with AccessDenied: .*Allow the role"
    ):
        ensure_role(target)
