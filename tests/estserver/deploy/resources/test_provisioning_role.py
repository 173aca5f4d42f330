"""The role that AWS IoT provisions with: made by whoever deploys, handed on by the function."""

import json

import pytest

from estserver.deploy.engine.runs import take_away
from estserver.deploy.recipe import function_policy, preparation, removable
from estserver.deploy.resources.roles.deployment_roles import provisioning_role
from estserver.deploy.rights.functions import trust
from estserver.deploy.rights.statements import allow, document
from iotprov.conf import IoTTarget
from iotprov.documents.role import ensure_role
from pki.aws.clients import aws_client
from tests.estserver.deploy.account import CONFIG
from tests.estserver.deploy.rights.test_deployer import REGISTRATION_POLICY, actions
from tests.support.aws_faults import aws_calls

ROLE = "ESTServerDeviceProvisioningRole"
EVERYTHING = json.dumps(document([allow("All", ["iot:*"], "*")]))
EVERYBODY = json.dumps(trust("iot.amazonaws.com"))
ELSEWHERE = "{name: us, region: us-east-1, roleArn: 'arn:aws:iam::210987654321:role/est-iot'}"


def iam():
    return aws_client("iam")


def attached():
    policies = iam().list_attached_role_policies(RoleName=ROLE)["AttachedPolicies"]
    return [policy["PolicyArn"] for policy in policies]


def role_names(steps):
    return [step.name for step in steps if ROLE in step.name]


def test_sync_template_finds_the_role_as_it_wants_it_with_the_functions_rights(deployment, bring):
    bring(provisioning_role(deployment))

    with aws_calls() as calls:
        role = ensure_role(IoTTarget("default"))

    assert (role.changes, role.warnings) == ((), ())
    assert attached() == [REGISTRATION_POLICY]
    assert {each for each in calls if each.startswith("iam:")} <= actions(
        function_policy(deployment, "admin")
    )


def test_a_second_look_finds_nothing_to_do_and_what_was_changed_is_set_right(deployment, bring):
    step = provisioning_role(deployment)
    assert bring(step) == [step.name]
    assert bring(step) == []

    iam().detach_role_policy(RoleName=ROLE, PolicyArn=REGISTRATION_POLICY)
    iam().put_role_policy(RoleName=ROLE, PolicyName="by-hand", PolicyDocument=EVERYTHING)
    iam().update_assume_role_policy(RoleName=ROLE, PolicyDocument=EVERYBODY)
    assert bring(step) == [step.name]

    assert attached() == [REGISTRATION_POLICY]
    assert iam().list_role_policies(RoleName=ROLE)["PolicyNames"] == []
    assert ensure_role(IoTTarget("default")).changes == ()


def test_a_role_that_somebody_else_made_is_left_as_it_is(deployment, bring, performer):
    iam().create_role(RoleName=ROLE, AssumeRolePolicyDocument="{}", Description="the sample's")

    assert bring(provisioning_role(deployment)) == []
    take_away([provisioning_role(deployment)], performer)

    assert iam().get_role(RoleName=ROLE)["Role"]["Description"] == "the sample's"


@pytest.mark.parametrize(
    ("more", "is_needed"),
    [
        ("", True),
        ("  iotTargets: [{name: here}]", True),
        (f"  iotTargets: [{ELSEWHERE}]", False),
        ("  configureJITP: false", False),
    ],
    ids=["default", "this account", "another account", "no JITP"],
)
def test_it_is_prepared_where_jitp_is_configured_for_this_account(
    aws_cloud, configured, more, is_needed
):
    section = "DeploymentOptions:\n" if "JITP" in more else "Properties:\n"
    deployment = configured(CONFIG.replace(section, f"{section}{more}\n"))

    assert bool(role_names(preparation(deployment))) is is_needed


def test_it_stays_as_long_as_aws_iot_does(deployment):
    assert role_names(removable(deployment)) == []
    assert role_names(removable(deployment, with_iot=True)) == [f"role {ROLE}"]
