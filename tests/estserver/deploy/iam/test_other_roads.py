"""Roads that few deployments take, judged by the policies: rollback, restoration, a VPC."""

import pytest
from django.core.management import call_command

from estserver.deploy.deployment import STAGES
from estserver.deploy.engine.runs import carry_out, take_away
from estserver.deploy.lifecycle.status import status
from estserver.deploy.recipe import finishing, preparation, removable, restoration
from estserver.deploy.zappa.live_version import LiveVersion
from estserver.deploy.zappa.schema import description_here
from pki.aws.clients import aws_client
from tests.estserver.deploy.account import upload, zappa_deploy
from tests.estserver.deploy.database_stacks import WITH_STACK, make_stack
from tests.estserver.deploy.iam.calls import read
from tests.estserver.deploy.iam.judging import (
    DEPLOYER,
    REMOVER,
    SOMEBODY,
    judge,
    refused,
    refused_without,
)
from tests.estserver.deploy.projects import DEFAULT, deployed, project
from tests.support.builders import make_key

__all__ = ["deployed", "project"]

pytestmark = pytest.mark.django_db(transaction=True)


def actions(requests):
    return {each.request.action for each in requests}


def test_T63_iam_allows_the_way_back_to_the_version_before(
    deployment, live, bring, recording, tmp_path
):
    recording(DEPLOYER)
    for stage in STAGES:
        live(deployment, stage)
        aws_client("lambda").update_function_configuration(
            FunctionName=deployment.function(stage), Description=description_here()
        )
        for code in ("new", "newer", "newest"):
            bring(LiveVersion(deployment, stage))
            upload(deployment, stage, code)
        bring(LiveVersion(deployment, stage))

    call_command("aws_rollback")

    requests = judge(read(tmp_path / "calls.jsonl"), deployment)
    assert actions(requests) >= {"lambda:UpdateAlias", "lambda:PublishVersion"}
    assert refused(requests) == []


def test_T63_iam_allows_what_brings_keys_and_secrets_back(deployed, performer, recording, tmp_path):
    recording(SOMEBODY)
    deployment = deployed(DEFAULT, make_key("ec-p256", 0))
    recording(REMOVER)
    take_away(removable(deployment, with_audit_heads=True), performer)

    recording(DEPLOYER)
    carry_out(restoration(deployment), performer)

    requests = judge(read(tmp_path / "calls.jsonl"), deployment)
    assert actions(requests) >= {
        *("kms:CancelKeyDeletion", "kms:EnableKey", "secretsmanager:RestoreSecret"),
    }
    assert refused(requests) == []
    for sid in ("RestoreKeys", "RestoreSecrets"):
        assert refused_without(requests, sid)


def test_T63_iam_allows_what_puts_functions_into_the_vpc_of_a_stack(
    aws_cloud, configured, installation, performer, recording, tmp_path
):
    deployment = configured(WITH_STACK)
    recording(SOMEBODY)
    outputs = make_stack()

    recording(DEPLOYER)
    carry_out(preparation(deployment), performer)
    for stage in STAGES:
        zappa_deploy(deployment, stage)
        aws_client("lambda").update_function_configuration(  # as Zappa does
            FunctionName=deployment.function(stage),
            VpcConfig={
                "SubnetIds": outputs["SubnetIds"].split(","),
                "SecurityGroupIds": [outputs["FunctionSecurityGroupId"]],
            },
        )
    for stage in STAGES:
        carry_out(finishing(deployment, stage), performer)
    status(deployment, preparation(deployment))

    requests = judge(read(tmp_path / "calls.jsonl"), deployment)
    assert "cloudformation:DescribeStacks" in actions(requests)
    assert refused(requests) == []
    assert actions(requests) >= {"ec2:DescribeSubnets", "ec2:DescribeVpcs"}
