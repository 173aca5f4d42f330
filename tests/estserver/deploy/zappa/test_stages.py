"""What Zappa left of a stage, and what is in the account and not ours."""

import pytest

from estserver.deploy.engine.runs import StepFailed, carry_out, intentions
from estserver.deploy.engine.steps import Blocked
from estserver.deploy.front_door.domain import CustomDomain
from estserver.deploy.recipe import function_role
from estserver.deploy.resources.buckets.bucket import Bucket
from estserver.deploy.resources.ca_keys import CAKeys
from estserver.deploy.resources.ca_secrets import Secrets
from estserver.deploy.resources.secrets_kms_key import SecretsKey
from estserver.deploy.zappa.stage import ZappaStage
from pki.aws.clients import aws_client
from pki.operators.errors import OperatorError
from tests.estserver.deploy.account import CONFIG, DOMAIN, REGION

# Zappa's own part


def test_what_zappa_left_half_done_is_named(deployment, live, monkeypatch):
    with pytest.raises(Blocked, match=r"The stage est is not deployed\. Run zappa deploy est"):
        ZappaStage(deployment, "est").plan(ZappaStage(deployment, "est").look())
    live(deployment, "est")
    step = ZappaStage(deployment, "est")
    seen = step.look()
    from dataclasses import replace

    with pytest.raises(OperatorError, match=r"is in ROLLBACK_COMPLETE\. Look at its events"):
        step.plan(replace(seen, stack="ROLLBACK_COMPLETE"))
    assert step.plan(replace(seen, stack="UPDATE_IN_PROGRESS")).waiting
    assert step.plan(replace(seen, stack="UPDATE_ROLLBACK_COMPLETE")).calls == ()
    with pytest.raises(OperatorError, match="Only a part of"):
        step.plan(replace(seen, api_id=""))


def test_schedules_go_with_their_function(deployment, live):
    live(deployment, "admin")
    arn = deployment.arn("lambda", "function:est-server-admin")
    events = aws_client("events")
    events.put_rule(Name="outbox", ScheduleExpression="rate(1 minute)")
    events.put_targets(Rule="outbox", Targets=[{"Id": "1", "Arn": arn}])
    events.put_rule(Name="other", ScheduleExpression="rate(1 minute)")

    step = ZappaStage(deployment, "admin")
    names = [call.name for call in step.undo(step.look()).calls]

    assert names == [
        *["events:RemoveTargets", "events:DeleteRule"] * 3,  # Zappa's two, and this one
        "cloudformation:DeleteStack",
        "lambda:DeleteFunction",
    ]


# What isn't ours


def test_a_role_of_somebody_else_is_not_taken(deployment, performer):
    aws_client("iam").create_role(
        RoleName=deployment.role("est"), AssumeRolePolicyDocument='{"Version": "2012-10-17"}'
    )
    step = function_role(deployment, "est")

    with pytest.raises(StepFailed, match="exists and was not made by this tool"):
        carry_out([step], performer)
    assert intentions([step], removing=True) == []


def test_a_bucket_that_was_there_is_left_as_it_is(aws_cloud, configured, bring, said):
    deployment = configured(CONFIG + "  truststoreBucket: company-truststores\n")
    aws_client("s3").create_bucket(
        Bucket="company-truststores", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    step = Bucket(deployment, deployment.truststore_bucket, "truststore", is_versioned=True)

    assert bring(step) == []
    assert "was there before, and is left as it is" in said.text
    assert "old versions are not kept" in said.text
    assert intentions([step], removing=True) == []


def test_a_secret_that_bootstrap_made_goes_and_can_come_back(deployment):
    secrets = aws_client("secretsmanager")
    secrets.create_secret(Name="estMtlsCaSecrets", SecretString="x", Tags=deployment.tag_list())
    secrets.create_secret(Name="estMtlsClientSecrets", SecretString="x")

    [intended] = intentions([Secrets(deployment)], removing=True)

    assert [dict(call.parameters) for call in intended.calls] == [
        {"SecretId": "estMtlsCaSecrets", "RecoveryWindowInDays": 30}
    ]


def test_the_key_is_rotated_and_missed_when_it_is_to_be_deleted(deployment, bring, performer):
    assert bring(SecretsKey(deployment)) == ["KMS key for secrets"]
    seen = SecretsKey(deployment).look()
    assert seen.is_rotated
    aws_client("kms").schedule_key_deletion(KeyId=seen.key_id, PendingWindowInDays=7)

    with pytest.raises(StepFailed, match="--restore, which cancels its deletion"):
        carry_out([SecretsKey(deployment)], performer)


def test_names_of_a_second_installation_differ(configured):
    other = configured(CONFIG + "  projectName: est-test\n")

    assert other.function("est") == "est-test-est"
    assert not other.is_ours({"est-server:made-by": "est-server"})
    assert CustomDomain(other, other.domains[0]).name == f"est: domain {DOMAIN}"


def test_ca_keys_that_bootstrap_made_go_and_can_come_back(deployment):
    kms = aws_client("kms")
    tags = [{"TagKey": t["Key"], "TagValue": t["Value"]} for t in deployment.tag_list()]
    spec = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}
    ours = kms.create_key(**spec, Tags=tags)["KeyMetadata"]["KeyId"]
    brought = kms.create_key(**spec)["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/est/device-ca", TargetKeyId=ours)
    kms.create_alias(AliasName="alias/est/other", TargetKeyId=brought)

    [intended] = intentions([CAKeys(deployment)], removing=True)

    assert [dict(call.parameters) for call in intended.calls] == [
        {"KeyId": ours, "PendingWindowInDays": 30}
    ]
    kms.schedule_key_deletion(KeyId=ours, PendingWindowInDays=30)
    assert intentions([CAKeys(deployment)], removing=True) == []
