"""The bucket of the audit trail's heads: locked, put into and not deleted from, and kept."""

import datetime
from io import StringIO
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from django.core.management import CommandError, call_command

from estserver.deploy.recipe import (
    deployer_policies,
    function_policy,
    remover_policies,
)
from estserver.deploy.resources.buckets.deployment_buckets import buckets
from estserver.operations.audit_report import write_heads
from pki.aws.clients import aws_client
from tests.estserver.deploy.account import ACCOUNT, CONFIG, REGION

BUCKET = f"est-server-audit-{ACCOUNT}-{REGION}"
BUCKET_ARN = f"arn:aws:s3:::{BUCKET}"


def run(*arguments):
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def bucket_names():
    return {each["Name"] for each in aws_client("s3").list_buckets()["Buckets"]}


def rights_to_heads(*policies):
    """The actions on the bucket or on what is in it."""
    return {
        action
        for policy in policies
        for statement in policy["Statement"]
        for action in statement["Action"]
        if action.startswith("s3:")
        if BUCKET_ARN in str(statement["Resource"]) or statement["Resource"] == "*"
    }


def put_heads(settings):
    """As the function does it each hour."""
    settings.IS_LAMBDA = True
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:est-server-admin"
    write_heads(SimpleNamespace(invoked_function_arn=arn))
    settings.IS_LAMBDA = False


def test_T48_new_objects_are_locked_for_400_days_and_then_go(deployment, bring):
    assert bring(*buckets(deployment))[-1] == "audit heads bucket"

    client = aws_client("s3")
    lock = client.get_object_lock_configuration(Bucket=BUCKET)["ObjectLockConfiguration"]
    assert lock["ObjectLockEnabled"] == "Enabled"
    retention = lock["Rule"]["DefaultRetention"]
    assert (retention["Mode"], retention["Days"]) == ("GOVERNANCE", 400)
    assert client.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    [rule] = client.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    assert rule["Expiration"] == {"Days": 400}
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}
    assert bring(*buckets(deployment)) == []


def test_T48_a_lock_that_somebody_shortened_is_mended(deployment, bring):
    bring(*buckets(deployment))
    shorter = {"Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}}
    aws_client("s3").put_object_lock_configuration(
        Bucket=BUCKET, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", **shorter}
    )

    assert bring(*buckets(deployment))[-1] == "audit heads bucket"


def test_the_days_are_the_configurations(aws_cloud, configured, bring):
    deployment = configured(CONFIG + "  auditHeadsRetentionDays: 3650\n")

    bring(*buckets(deployment))

    lock = aws_client("s3").get_object_lock_configuration(Bucket=BUCKET)
    retention = lock["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]
    assert (retention["Mode"], retention["Days"]) == ("GOVERNANCE", 3650)


def test_T48_the_functions_object_is_locked_when_it_arrives(
    deployment, installation, bring, settings
):
    bring(*buckets(deployment))

    put_heads(settings)

    client = aws_client("s3")
    [version] = client.list_object_versions(Bucket=BUCKET)["Versions"]
    named = {"Bucket": BUCKET, "Key": version["Key"], "VersionId": version["VersionId"]}
    head = client.head_object(**named)
    assert head["ObjectLockMode"] == "GOVERNANCE"
    days = head["ObjectLockRetainUntilDate"] - datetime.datetime.now(datetime.UTC)
    assert 399 <= days.days <= 400
    with pytest.raises(ClientError, match="AccessDenied"):
        client.delete_object(**named)


def test_T48_a_function_may_put_heads_and_neither_delete_nor_go_round_the_lock(configured):
    deployment = configured()

    assert rights_to_heads(function_policy(deployment, "admin")) == {"s3:PutObject"}
    assert rights_to_heads(function_policy(deployment, "est")) == set()


def test_T48_only_who_removes_an_installation_may_go_round_the_lock(configured):
    deployment = configured()
    around = {"s3:BypassGovernanceRetention", "s3:DeleteObject", "s3:DeleteObjectVersion"}

    assert around <= rights_to_heads(*remover_policies(deployment).values())
    deploying = rights_to_heads(*deployer_policies(deployment).values())
    assert not deploying & {*around, "s3:PutObjectRetention", "s3:PutObjectLegalHold"}


def test_T48_destroying_keeps_the_bucket_unless_it_is_named(deployment, installation, settings):
    run("aws_deploy", "--prepare")
    put_heads(settings)

    planned = run("aws_destroy", "--plan")
    assert f"The bucket {BUCKET} stays. It holds the heads of the audit trail" in planned
    assert f"To remove it too, add --bucket {BUCKET}." in planned
    assert f'"Bucket": "{BUCKET}"' not in planned
    run("aws_destroy", "--yes")
    assert bucket_names() == {BUCKET}
    with pytest.raises(CommandError, match="other is not the bucket of the audit trail's heads"):
        run("aws_destroy", "--yes", "--bucket", "other")
    assert bucket_names() == {BUCKET}

    planned = run("aws_destroy", "--plan", "--bucket", BUCKET)
    assert '"BypassGovernanceRetention": true' in planned
    assert "stays" not in planned
    run("aws_destroy", "--yes", "--bucket", BUCKET)
    assert bucket_names() == set()
    assert run("aws_destroy", "--plan") == "nothing is left that this tool made\n"
