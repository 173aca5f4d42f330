"""After a rollover the functions read the successor's secret, whose name no configuration holds."""

import pytest

from estserver.deploy.deployment import STAGES
from estserver.deploy.recipe import function_policy
from estserver.deploy.resources.secrets_kms_key import SecretsKey
from pki.aws.clients import aws_client
from pki.aws.secrets import write_secret
from pki.signers.secretsmanager.signer import SecretsManagerSigner
from tests.estserver.deploy.account import ACCOUNT, CONFIG, REGION
from tests.estserver.deploy.iam.calls import read
from tests.estserver.deploy.iam.decisions import Request, is_allowed
from tests.estserver.deploy.iam.judging import DEPLOYER, judge, refused
from tests.support.builders import make_ca

pytestmark = pytest.mark.django_db

KEY_SECRET, CLIENT_SECRET = "estIotCoreCaSecretKey4", "estMtlsCaSecrets"


def may(deployment, stage, action, name):
    resource = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}"
    policies = [function_policy(deployment, stage)]
    return is_allowed(Request(f"secretsmanager:{action}", resource), policies)


@pytest.mark.parametrize("suffix", ["", "-a1B2c3"], ids=["missing", "there"])
def test_T63_both_functions_read_a_successors_key_and_only_the_admins_makes_one(configured, suffix):
    deployment = configured()
    successor = f"{KEY_SECRET}/device-ca-2-0123abcd{suffix}"

    for stage in STAGES:
        assert may(deployment, stage, "GetSecretValue", successor)
        assert may(deployment, stage, "DescribeSecret", successor)
        assert not may(deployment, stage, "GetSecretValue", f"{KEY_SECRET}2/ca{suffix}")
        assert not may(deployment, stage, "GetSecretValue", f"elsewhere/{KEY_SECRET}/ca{suffix}")
        assert not may(deployment, stage, "DeleteSecret", successor)
    for action in ("CreateSecret", "PutSecretValue", "TagResource"):
        assert may(deployment, "admin", action, successor)
        assert not may(deployment, "est", action, successor)


def test_T63_the_key_of_a_client_ca_stays_with_the_people_side(configured):
    successor = f"{CLIENT_SECRET}/client-ca-2-0123abcd-a1B2c3"
    deployment = configured(
        CONFIG.replace("  signers:", "  clientCaSigner: secretsmanager\n  signers:")
    )

    assert may(deployment, "admin", "GetSecretValue", successor)
    assert not may(deployment, "est", "GetSecretValue", successor)


def test_secrets_of_a_signer_in_another_region_are_named_there(configured):
    elsewhere = CONFIG.replace(
        "SecretsManagerSigner}", "SecretsManagerSigner, OPTIONS: {region: us-east-1}}"
    )

    for stage in STAGES:
        policy = function_policy(configured(elsewhere), stage)
        resource = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:{KEY_SECRET}-a1B2c3"
        assert is_allowed(Request("secretsmanager:GetSecretValue", resource), [policy])


def test_T63_a_rollover_with_the_secrets_key_is_allowed_from_making_to_signing(
    deployment, bring, live, recording, tmp_path
):
    recording(DEPLOYER)
    bring(SecretsKey(deployment))
    for stage in STAGES:
        live(deployment, stage)
    ca = make_ca("device CA 2")
    alias = deployment.key_alias

    recording("est-server-admin")
    signer = SecretsManagerSigner(kmsKeyId=alias)
    name = signer.key_name("device", "device-ca-2", is_first=False)
    assert name.startswith(f"{KEY_SECRET}/device-ca-2-")
    signer.store(name, ca.key)
    signer.keep_certificate(name, ca.certificate)
    recording("est-server-est")
    key = SecretsManagerSigner().private_key(name)

    assert key.public_key() == ca.certificate.public_key()
    assert refused(judge(read(tmp_path / "calls.jsonl"), deployment)) == []
    # What is beside the successors' secrets is refused to the same principal.
    recording("est-server-admin")
    write_secret("payroll", "x", after=None, description="", kms_key_id=alias)
    aws_client("kms").encrypt(KeyId=alias, Plaintext=b"x")
    sentences = refused(judge(read(tmp_path / "calls.jsonl"), deployment))
    assert any("may not secretsmanager:CreateSecret" in each for each in sentences)
    assert any("may not kms:Encrypt" in each for each in sentences)
