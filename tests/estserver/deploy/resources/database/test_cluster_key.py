"""The key in KMS that encrypts a cluster: AWS's own, or one that the configuration names."""

import pytest

from estserver.config import ConfigError
from estserver.deploy.account.problems import account_problems
from estserver.deploy.engine.runs import StepFailed, carry_out
from estserver.deploy.resources.database.cluster import AWS_OWNED, DatabaseCluster
from estserver.deploy.rights.dsql_cluster import find_cluster
from pki.aws.clients import aws_client
from tests.estserver.deploy import moto_database
from tests.estserver.deploy.account import ACCOUNT, REGION, WITHOUT_DATABASE


def a_key(**parameters):
    """Make a key; return its ARN."""
    return aws_client("kms").create_key(**parameters)["KeyMetadata"]["Arn"]


@pytest.fixture
def with_key(account, configured):
    """Return a deployment whose configuration names a key, and what else is given."""

    def deployment(arn, more=""):
        text = f"Properties:\n  databaseKmsKeyArn: {arn}\n{more}"
        return configured(WITHOUT_DATABASE.replace("Properties:\n", text, 1))

    return deployment


def encryption():
    [cluster] = aws_client("dsql").list_clusters()["clusters"]
    return aws_client("dsql").get_cluster(identifier=cluster["identifier"])["encryptionDetails"]


def test_a_cluster_is_made_with_the_key_that_is_named(with_key, bring):
    arn = a_key()
    step = DatabaseCluster(with_key(arn))

    bring(step)

    assert encryption()["kmsKeyArn"] == arn
    assert bring(step) == []


def test_a_cluster_gets_another_key_and_goes_back_to_awss_own(account, with_key, bring):
    bring(DatabaseCluster(account))
    arn = a_key()

    assert bring(DatabaseCluster(with_key(arn))) == [DatabaseCluster.name]
    assert encryption()["kmsKeyArn"] == arn

    [back] = DatabaseCluster(account).plan(find_cluster(account)).calls
    assert back.parameters["kmsEncryptionKey"] == AWS_OWNED
    assert arn in back.reason


def test_a_key_that_cannot_be_used_is_said_with_what_to_do(with_key, bring, performer):
    arn = a_key()
    deployment = with_key(arn)
    bring(DatabaseCluster(deployment))
    cluster = moto_database.the_cluster(find_cluster(deployment).identifier)
    cluster.encryption_details["encryptionStatus"] = "KMS_KEY_INACCESSIBLE"

    with pytest.raises(StepFailed, match="cannot use the key") as caught:
        carry_out([DatabaseCluster(deployment)], performer)

    assert arn in str(caught.value)
    assert "docs/databases.md" in str(caught.value)


def test_keys_that_cannot_encrypt_a_cluster_are_refused_before_anything_is_made(with_key):
    disabled = a_key()
    aws_client("kms").disable_key(KeyId=disabled.rpartition("/")[2])
    signing = a_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    gone = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0a1b2c3d-0000-0000-0000-000000000000"
    elsewhere = gone.replace(REGION, "us-east-1")

    def problems(arn):
        return [each for each in account_problems(with_key(arn)) if "databaseKmsKeyArn" in each]

    assert problems(a_key()) == []
    assert "is Disabled (enable the key" in problems(disabled)[0]
    assert "a key of ECC_NIST_P256 for SIGN_VERIFY" in problems(signing)[0]
    assert "KMS has no such key" in problems(gone)[0]
    assert "is a key of us-east-1, and the cluster is in eu-central-1" in problems(elsewhere)[0]


def test_a_key_beside_another_database_is_refused(with_key):
    with pytest.raises(ConfigError, match="databaseKmsKeyArn") as caught:
        with_key(a_key(), "  databaseUrl: postgresql://db.example.com/est\n")

    assert "It encrypts the cluster that the deployment makes" in str(caught.value)
