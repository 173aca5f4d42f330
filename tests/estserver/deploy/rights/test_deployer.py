"""The rights of the person who deploys: every call that is made is among them."""

import ast
import io
import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import botocore.session
import pytest
import zappa.core
from botocore import xform_name
from django.core.management import call_command

from estserver import deploy
from estserver.deploy.recipe import deployer_policies, remover_policies
from estserver.deploy.rights.deployer import MANAGED_POLICY_CHARACTERS, policies_to_remove
from estserver.deploy.rights.statements import ResourceRights, allow
from tests.estserver.deploy.account import CONFIG, WITHOUT_DATABASE, golden

# Where an action has another name than the call. API Gateway's actions are HTTP's methods.
# https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
RENAMED = {
    "iot:ListPrincipalThingsV2": "iot:ListPrincipalThings",
    "lambda:Invoke": "lambda:InvokeFunction",
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:PutObjectLockConfiguration": "s3:PutBucketObjectLockConfiguration",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
}
REGISTRATION_POLICY = "arn:aws:iam::aws:policy/service-role/AWSIoTThingsRegistration"
FREE = {"sts:GetCallerIdentity"}  # everybody may ask who they are

NOT_OUR_WAY = re.compile(
    # Zappa's code for what zappa_settings.json doesn't ask for: API keys, aliases, domains.
    "api_key|base_path_mapping|domain_name|alias|provisioned|function_url_config$|import_certificate"
)


def steps_calls():
    """Each service and operation that our code names, one after the other."""
    session = botocore.session.get_session()
    services = {*session.get_available_services()}
    found = set()
    for path in Path(deploy.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            texts = [a.value for a in node.args if isinstance(a, ast.Constant)]
            for service, operation in pairwise(map(str, texts)):
                if service in services and re.fullmatch(r"[A-Z]\w+", operation):
                    found.add(f"{service}:{operation}")
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name in ("put", "_setting") and path.name == "bucket.py":
                found.add(f"s3:{texts[0]}")
            if name == "_call" and path.name == "role.py":
                found.add(f"iam:{texts[0]}")
    return found


def zappas_calls():
    """The calls in Zappa's code to the services that it needs for us."""
    clients = {
        "lambda_client": "lambda",
        "apigateway_client": "apigateway",
        "cf_client": "cloudformation",
        "events_client": "events",
    }
    source = Path(zappa.core.__file__).read_text(encoding="utf-8")
    found = set()
    for attribute, service in clients.items():
        model = botocore.session.get_session().get_service_model(service)
        spelled = {xform_name(name): name for name in model.operation_names}
        for method in re.findall(rf"self\.{attribute}\.(\w+)\(", source):
            if method in spelled and not NOT_OUR_WAY.search(method):
                found.add(f"{service}:{spelled[method]}")
    return found


def action_of(call):
    """The IAM action that a call needs."""
    service, operation = call.split(":")
    if service in ("apigateway", "apigatewayv2"):
        model = botocore.session.get_session().get_service_model(service)
        return f"apigateway:{model.operation_model(operation).http['method']}"
    return RENAMED.get(call, call)


def allowed(configured):
    """What the policies allow, with a database of one's own and with one that is made."""
    deployments = [configured(), configured(WITHOUT_DATABASE)]
    return {
        action
        for deployment in deployments
        for policies in (deployer_policies, remover_policies)
        for action in may(policies(deployment))
    }


def may(policies):
    return {action for policy in policies.values() for action in actions(policy)}


def statements_of(policies):
    return [statement for policy in policies.values() for statement in policy["Statement"]]


def actions(policy):
    return {action for statement in policy["Statement"] for action in statement["Action"]}


@pytest.mark.parametrize("policies", [deployer_policies, remover_policies])
def test_rights_of_whoever_deploys_are_the_reviewed_ones(configured, policies):
    """To review a change: tests/estserver/deploy/golden/, and say in the commit why."""
    name = policies.__name__.removesuffix("_policies")

    assert policies(configured()) == golden(f"{name}.json")


def test_T75_a_database_takes_a_policy_of_its_own_which_names_our_tag(configured):
    policies = deployer_policies(configured(WITHOUT_DATABASE))

    assert policies["est-server-deploy-database"] == golden("deployer-database.json")
    assert "est-server-deploy-database" not in deployer_policies(configured())
    for statement in policies["est-server-deploy-database"]["Statement"]:
        if {"dsql:UpdateCluster", "dsql:DbConnectAdmin"} & {*statement["Action"]}:
            tagged = {"aws:ResourceTag/est-server:made-by": "est-server"}
            assert statement["Condition"] == {"StringEquals": tagged}


def test_resources_share_a_statement_only_if_that_allows_no_more_than_each_says(configured):
    def together(*statements):
        rights = [ResourceRights(remove=[statement]) for statement in statements]
        (policy,) = policies_to_remove(configured(), rights).values()
        return policy["Statement"]

    key, alias, secret = (f"arn:aws:{each}" for each in ("kms::1:key", "kms::1:alias", "sm::1:s"))
    deleting = allow("Remove", ["kms:DeleteAlias"], key)

    assert together(deleting, allow("Remove", ["kms:DeleteAlias"], alias)) == [
        allow("Remove", ["kms:DeleteAlias"], [key, alias])
    ]
    assert together(deleting, allow("Remove", ["sm:DeleteSecret"], secret)) == [
        allow("Remove", ["kms:DeleteAlias", "sm:DeleteSecret"], [key, secret])
    ]
    for other in (
        allow("Remove", ["kms:CreateAlias"], alias),
        allow("Remove", ["kms:DeleteAlias"], alias, {"Bool": {"aws:SecureTransport": "true"}}),
    ):
        with pytest.raises(AssertionError, match="state Remove with different rights"):
            together(deleting, other)


@pytest.mark.parametrize("calls", [steps_calls, zappas_calls])
def test_every_call_that_deploying_makes_is_allowed(configured, calls):
    made = calls() - FREE
    assert len(made) > 20

    assert {call for call in made if action_of(call) not in allowed(configured)} == set()


def test_no_action_has_a_wildcard_and_only_our_roles_are_handed_out(configured):
    deployment = configured()
    statements = {each["Sid"]: each for each in statements_of(deployer_policies(deployment))}

    assert not [a for a in allowed(configured) if "*" in a]
    assert "iam:CreatePolicy" not in allowed(configured)
    passing = statements["HandOutRoles"]
    assert [arn.rpartition("/")[2] for arn in passing["Resource"]] == [
        deployment.role("est"),
        deployment.role("admin"),
        deployment.gateway_log_role,
    ]
    assert "lambda.amazonaws.com" in passing["Condition"]["StringEquals"]["iam:PassedToService"]


def test_a_policy_of_awss_is_attached_to_aws_iots_role_only_and_only_the_one_it_needs(configured):
    statements = statements_of(deployer_policies(configured()))

    [attaching] = [s for s in statements if "iam:AttachRolePolicy" in s["Action"]]
    assert attaching["Action"] == ["iam:AttachRolePolicy"]
    assert attaching["Resource"].endswith(":role/ESTServerDeviceProvisioningRole")
    assert attaching["Condition"] == {"ArnEquals": {"iam:PolicyARN": REGISTRATION_POLICY}}


def test_whoever_deploys_may_not_remove(configured):
    removing = {"DeleteBucket", "DeleteRole", "DeleteSecret"}

    operations = {action.partition(":")[2] for action in may(deployer_policies(configured()))}

    assert operations.isdisjoint({*removing, "ScheduleKeyDeletion", "DeleteObjectVersion"})


def test_whoever_deploys_deletes_old_versions_and_no_function(configured):
    """And stacks, of which an update could take everything away as well."""
    statements = statements_of(deployer_policies(configured()))

    resources = {
        resource
        for statement in statements
        if "lambda:DeleteFunction" in statement["Action"]
        for resource in [statement["Resource"]]
        for resource in ([resource] if isinstance(resource, str) else resource)
    }

    arn = "arn:aws:lambda:eu-central-1:123456789012:function:est-server"
    assert resources == {f"{arn}-est:*", f"{arn}-admin:*"}


@pytest.mark.parametrize("policies", [deployer_policies, remover_policies])
def test_each_fits_into_a_managed_policy_whatever_the_names(configured, policies):
    named = f"DeploymentOptions:\n  projectName: {'p' * 30}"
    longest = WITHOUT_DATABASE.replace("DeploymentOptions:", named)
    deployment = replace(configured(longest), region="us-gov-northwest-1", partition="aws-us-gov")

    for policy in policies(deployment).values():
        text = json.dumps(policy, separators=(",", ":"))
        assert len(text) <= MANAGED_POLICY_CHARACTERS


def test_T55_whoever_deploys_makes_and_names_keys_of_this_installation_only(configured):
    in_kms = CONFIG.replace(
        "signers:",
        "clientCaSigner: kms\n  signers:\n    kms: {BACKEND: pki.signers.kms.KMSSigner, OPTIONS: "
        "{region: us-east-1}}",
    ).replace("DeploymentOptions:", f"DeploymentOptions:\n  projectName: {'p' * 30}")
    deployment = configured(in_kms)
    policies = deployer_policies(deployment)
    statements = {each["Sid"]: each for each in statements_of(policies)}

    assert all(
        len(json.dumps(policy, separators=(",", ":"))) <= MANAGED_POLICY_CHARACTERS
        for policy in policies.values()
    )
    project = deployment.project
    for sid, where in {"MakeKey": "RequestTag", "NameCAKeys": "ResourceTag"}.items():
        tagged = {f"aws:{where}/est-server:made-by": project}
        assert statements[sid]["Condition"] == {"StringEquals": tagged}
    assert [arn.partition(":kms:")[2] for arn in statements["NameKey"]["Resource"]] == [
        f"eu-central-1:123456789012:alias/{project}-secrets",
        f"eu-central-1:123456789012:alias/est/{project}/*",
        f"us-east-1:123456789012:alias/est/{project}/*",
    ]
    assert "kms:TagResource" not in {*actions(policies[f"{project}-deploy-functions"])}
    without = {each["Sid"] for each in statements_of(deployer_policies(configured()))}
    assert {*statements} - without == {"LookAtKeys", "NameCAKeys"}


@pytest.mark.parametrize(
    ("command", "policies"), [("aws_deploy", deployer_policies), ("aws_destroy", remover_policies)]
)
def test_permissions_are_printed_for_whoever_hands_them_out(
    configured, aws_cloud, command, policies
):
    deployment = configured()
    printed = io.StringIO()

    call_command(command, "--permissions", stdout=printed)

    assert json.loads(printed.getvalue()) == policies(deployment)
