"""What the steps ask of AWS in configurations other than the sample's, judged by the policies."""

import pytest

from estserver.deploy.engine.runs import carry_out, take_away
from estserver.deploy.lifecycle.status import status
from estserver.deploy.recipe import (
    deployer_policies,
    finishing,
    preparation,
    removable,
    remover_policies,
)
from estserver.deploy.resources.database.roles import DatabaseRoles
from estserver.deploy.rights.dsql_cluster import find_cluster
from pki.aws.clients import aws_client
from tests.estserver.deploy import moto_database, moto_iot
from tests.estserver.deploy.account import ACCOUNT, ACM, CONFIG, WITHOUT_DATABASE, zappa_deploy
from tests.estserver.deploy.iam.calls import read
from tests.estserver.deploy.iam.decisions import statements
from tests.estserver.deploy.iam.judging import (
    DEPLOYER,
    REMOVER,
    SOMEBODY,
    judge,
    refused,
    refused_without,
)

pytestmark = pytest.mark.django_db(transaction=True)

WITH_KMS = CONFIG.replace(
    "deviceCaSigner: secretsmanager",
    "deviceCaSigner: kms\n  clientCaSigner: kms",
).replace("signers:", "signers:\n    kms: {BACKEND: pki.signers.kms.KMSSigner}")
RESTRICTED = CONFIG.replace(
    "Properties:",
    f"""Properties:
  adminAllowedNetworks: ["192.0.2.0/24"]
  apiOwnershipVerificationCertificateArn: {ACM}/public
  bootstrapDomainName: first.example.com
  bootstrapCertificateArn: {ACM}/first""",
).replace("DeploymentOptions:", "DeploymentOptions:\n  wafEnabled: false")
NEEDED_ELSEWHERE = {
    "EmptyAuditHeads": "only a bucket with heads is emptied: test_end_to_end",
    "EncryptSessionSecret": "a deployment makes the secret beside the steps: test_end_to_end",
    "KeepSchedules": "only to enable what somebody disabled: test_schedule_states",
    "LookAtSecrets": "whoever deploys may look at the same, and removes with both policies",
    "MakeSessionSecret": "a deployment makes the secret beside the steps: test_end_to_end",
    "OldVersions": "an update deletes old versions of a function: test_live_version",
    "ReadAuditHeads": "a person reads the heads for `audit_verify --heads`",
    "RestoreKeys": "only with --restore: test_restore",
    "RestoreSecrets": "only with --restore: test_restore",
    "TestClientFiles": "only for `aws_client_files`: test_client_files",
}
"""Statements that no step of these configurations needs, each with its reason."""
NOT_NEEDED = {
    # LookAtKeys is for keys without our tag, NameCAKeys for keys in other regions.
    "kms": {"LookAtKeys", "NameCAKeys", "Networks"},
    "restricted": {"RemoveFirewall"},
    "usual": {"Networks"},
    "watched": {"Networks"},
}
"""Statements that a configuration without networks, WAF or such keys does not need."""
WATCHED = CONFIG.replace(
    "DeploymentOptions:", "DeploymentOptions:\n  tracing: true\n  reservedConcurrency: 5"
)
CONFIGURATIONS = {"watched": WATCHED, "kms": WITH_KMS, "restricted": RESTRICTED, "usual": CONFIG}


def test_T63_iam_allows_what_makes_a_cluster_and_its_backups_and_takes_them_away(
    aws_cloud, configured, performer, recording, tmp_path
):
    moto_database.identifiers.clear()
    deployment = configured(WITHOUT_DATABASE)

    recording(DEPLOYER)
    # Logging in at the cluster is no call of boto3.
    steps = [each for each in preparation(deployment) if not isinstance(each, DatabaseRoles)]
    carry_out(steps, performer)
    moto_database.add_backup(find_cluster(deployment).arn)
    status(deployment, steps)
    recording(REMOVER)
    take_away(steps, performer)

    judged = judge(read(tmp_path / "calls.jsonl"), deployment)
    assert {each.request.action for each in judged} >= {
        *("dsql:CreateCluster", "dsql:UpdateCluster", "dsql:DeleteCluster"),
        *("backup:CreateBackupVault", "backup:CreateBackupPlan", "backup:CreateBackupSelection"),
        *("backup:DeleteBackupPlan", "backup:ListRecoveryPointsByResource"),
    }
    assert refused(judged) == []


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_T63_iam_allows_what_the_steps_do_and_undo(
    aws_cloud, configured, installation, performer, recording, monkeypatch, tmp_path, name
):
    moto_iot.fill(monkeypatch)
    recording(SOMEBODY)
    aws_client("route53").create_hosted_zone(Name="example.com", CallerReference="1")
    deployment = configured(CONFIGURATIONS[name])

    recording(DEPLOYER)
    carry_out(preparation(deployment), performer)
    for stage in ("admin", "est"):
        zappa_deploy(deployment, stage)
    for stage in ("admin", "est"):
        carry_out(finishing(deployment, stage), performer)
    recording(REMOVER)
    take_away(removable(deployment, with_iot=True, with_audit_heads=True), performer)

    judged = judge(read(tmp_path / "calls.jsonl"), deployment)
    assert len(judged) > 150
    assert refused(judged) == []
    # Break each policy: without any of its statements, IAM refuses a call.
    policies = [*deployer_policies(deployment).values(), *remover_policies(deployment).values()]
    sids = {each["Sid"] for each in statements(policies)}
    needless = {sid for sid in sids if not refused_without(judged, sid)}
    assert needless == {*NEEDED_ELSEWHERE, *NOT_NEEDED[name]} & sids


def test_T63_a_call_that_no_statement_allows_is_named_with_what_is_missing(
    deployment, performer, recording, tmp_path
):
    recording(REMOVER)
    aws_client("iam").create_user(UserName="somebody")
    aws_client("sts").get_caller_identity()

    [sentence] = refused(judge(read(tmp_path / "calls.jsonl"), deployment))

    user = f"arn:aws:iam::{ACCOUNT}:user/somebody"
    assert sentence.startswith(f"arn:aws:iam::{ACCOUNT}:role/remover may not iam:CreateUser")
    assert f'{{"Effect": "Allow", "Action": "iam:CreateUser", "Resource": "{user}"}}' in sentence
