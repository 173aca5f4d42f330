"""What a removal takes, and how the same installation comes back with the same CAs."""

from io import StringIO

import pytest
from django.core.management import call_command

from estserver.deploy.engine.runs import StepFailed, carry_out, intentions, take_away
from estserver.deploy.lifecycle import deploy
from estserver.deploy.recipe import everything, finishing, preparation, removable, restoration
from estserver.deploy.resources.ca_keys import CAKeys
from estserver.deploy.resources.ca_secrets import Secrets
from pki.aws.clients import aws_client
from pki.exceptions import SignerUnavailable
from pki.signers import get_signer
from tests.estserver.deploy.account import world, zappa_deploy
from tests.estserver.deploy.projects import DEFAULT, STAGING, deployed, project
from tests.support.builders import make_key

__all__ = ["deployed", "project"]

pytestmark = pytest.mark.django_db(transaction=True)

KEY, SUCCESSOR = make_key("ec-p256", 0), make_key("ec-p256", 1)
OF_KEY = "estIotCoreCaSecretKey4"
OF_SUCCESSOR = f"{OF_KEY}/device-ca-2-0123abcd"


def run(*words):
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def secret_names(*, deleted=False):
    listed = aws_client("secretsmanager").list_secrets(IncludePlannedDeletion=True)["SecretList"]
    return {each["Name"] for each in listed if bool(each.get("DeletedDate")) == deleted}


def signs_with(secret):
    """The key of a CA, as the functions fetch it anew."""
    get_signer.cache_clear()
    return get_signer("secretsmanager").private_key(secret).public_key()


def key_of_secrets(deployment):
    return aws_client("kms").describe_key(KeyId=deployment.key_alias)["KeyMetadata"]


@pytest.fixture
def rolled_over(deployed):
    """An installation whose device CA has a successor, and a secret of somebody else."""
    deployment = deployed(DEFAULT, KEY)
    get_signer("secretsmanager").store(OF_SUCCESSOR, SUCCESSOR)
    aws_client("secretsmanager").create_secret(Name=f"{OF_KEY}/of-a-person", SecretString="x")
    return deployment


@pytest.fixture
def removed(rolled_over, performer):
    """The same after `aws_destroy`; returns the key that its secrets are encrypted with, too."""
    key = key_of_secrets(rolled_over)["KeyId"]
    take_away(removable(rolled_over, with_audit_heads=True), performer)
    return rolled_over, key


def test_a_successors_key_is_listed_and_goes_too(rolled_over, performer):
    planned = run("aws_destroy", "--plan")

    assert f"the secret {OF_SUCCESSOR} was made for this installation" in planned
    assert "of-a-person" not in planned
    take_away(removable(rolled_over), performer)
    assert secret_names(deleted=True) >= {OF_KEY, OF_SUCCESSOR, "est/secret-key"}
    assert secret_names() == {f"{OF_KEY}/of-a-person"}


def test_the_list_of_secrets_lags_and_those_of_known_names_go_all_the_same(
    rolled_over, monkeypatch
):
    monkeypatch.setattr("estserver.deploy.resources.ca_secrets._listed", lambda region: [])

    [intended] = intentions([Secrets(rolled_over)], removing=True)

    named = {call.parameters["SecretId"] for call in intended.calls}
    assert named == {OF_KEY, "est/secret-key"}


def test_after_a_removal_a_deployment_says_both_ways_on(removed, said, clock):
    before = world()

    with pytest.raises(StepFailed) as refused:
        deploy.prepare(say=said, clock=clock)

    text = str(refused.value)
    assert f"{OF_KEY}" in text
    assert "are scheduled for deletion, from 20" in text
    assert "manage.py aws_deploy --prepare --restore" in text
    assert "--force-delete-without-recovery" in text
    assert "iotCoreEstCaKeySecretName" in text
    assert "Nothing is done yet." in text
    assert world() == before


def test_a_secret_that_a_person_deletes_stops_no_deployment(deployment, said, clock):
    client = aws_client("secretsmanager")
    client.create_secret(Name="customSecret", SecretString="x")
    client.delete_secret(SecretId="customSecret")

    deploy.prepare(say=said, clock=clock)

    assert "customSecret" in secret_names(deleted=True)


def test_what_was_removed_is_restored_and_the_same_cas_sign_again(removed, performer, said, clock):
    deployment, key = removed
    with pytest.raises(SignerUnavailable):
        signs_with(OF_KEY)

    printed = run("aws_deploy", "--prepare", "--restore")

    assert "kms:CancelKeyDeletion" not in printed  # only a dry run prints calls
    assert "the secret estIotCoreCaSecretKey4 is about to be deleted" in printed
    assert key_of_secrets(deployment)["KeyId"] == key
    assert key_of_secrets(deployment)["KeyState"] == "Enabled"
    assert signs_with(OF_KEY) == KEY.public_key()
    assert signs_with(OF_SUCCESSOR) == SUCCESSOR.public_key()
    for stage in ("admin", "est"):
        zappa_deploy(deployment, stage)
        carry_out(finishing(deployment, stage), performer)
    assert intentions([*restoration(deployment), *everything(deployment)]) == []


def test_a_restoration_that_was_cut_off_goes_on(removed, performer):
    deployment, key = removed
    aws_client("kms").cancel_key_deletion(KeyId=key)  # which leaves it disabled

    carry_out(restoration(deployment), performer)

    assert key_of_secrets(deployment)["KeyId"] == key
    assert key_of_secrets(deployment)["KeyState"] == "Enabled"
    assert secret_names(deleted=True) == set()


def test_a_dry_run_shows_what_would_be_restored_and_restores_nothing(removed):
    printed = run("aws_deploy", "--prepare", "--restore", "--dry-run")

    assert "kms:CancelKeyDeletion" in printed
    assert "secretsmanager:RestoreSecret" in printed
    assert OF_KEY in secret_names(deleted=True)


def test_T60_what_another_project_removed_is_not_restored(deployed, project, performer):
    staging = deployed(STAGING, KEY)
    take_away(removable(staging), performer)

    assert intentions(restoration(project(DEFAULT))) == []
    assert len(intentions(restoration(project(STAGING)))) == 2


def test_signing_keys_that_no_signer_names_any_more_are_listed_too(deployment):
    kms = aws_client("kms")
    tags = [{"TagKey": t["Key"], "TagValue": t["Value"]} for t in deployment.tag_list()]
    spec = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}
    ours = kms.create_key(Tags=tags, **spec)["KeyMetadata"]["KeyId"]
    kms.create_key(**spec)

    [intended] = intentions([CAKeys(deployment)], removing=True)

    assert [call.parameters["KeyId"] for call in intended.calls] == [ours]
    assert f"the CA key {ours} was made for this installation" in intended.calls[0].reason


# API Gateway's log role


def an_api(name, **stage):
    """An API of somebody else with a stage."""
    gateway = aws_client("apigateway")
    api = gateway.create_rest_api(name=name)["id"]
    root = {"restApiId": api, "httpMethod": "ANY"}
    root["resourceId"] = gateway.get_resources(restApiId=api)["items"][0]["id"]
    gateway.put_method(**root, authorizationType="NONE")
    gateway.put_integration(**root, type="MOCK")
    gateway.create_deployment(restApiId=api, stageName="prod")
    changes = [{"op": "replace", "path": path, "value": value} for path, value in stage.items()]
    gateway.update_stage(restApiId=api, stageName="prod", patchOperations=changes)


LOG = "arn:aws:logs:eu-central-1:123456789012:log-group:theirs"


@pytest.mark.parametrize(
    "logging",
    [{"/accessLogSettings/destinationArn": LOG}, {"/*/*/logging/loglevel": "INFO"}],
    ids=["access", "execution"],
)
def test_the_log_role_stays_while_other_apis_log_with_it_and_that_is_said(
    deployment, performer, logging
):
    carry_out(preparation(deployment), performer)
    an_api("theirs", **logging)

    printed = run("aws_destroy", "--yes")

    role = deployment.gateway_log_role
    assert f"The role {role} stays" in printed
    assert "log with it: theirs. When they do not any more, run this again." in printed
    assert aws_client("apigateway").get_account()["cloudwatchRoleArn"].endswith(role)
    assert role in world()["roles"]


def test_the_log_role_goes_when_no_other_api_logs(deployment, performer):
    carry_out(preparation(deployment), performer)
    an_api("quiet")

    printed = run("aws_destroy", "--yes")

    assert "stays, and so does" not in printed
    assert world()["account"] is None
    assert deployment.gateway_log_role not in world()["roles"]


def test_T60_the_log_role_stays_for_another_project(deployed, project, performer):
    first = deployed(DEFAULT, KEY)
    second = deployed(STAGING, SUCCESSOR)

    take_away(removable(project(DEFAULT)), performer)

    assert first.gateway_log_role in world()["roles"]
    assert world()["account"].endswith(first.gateway_log_role)
    assert intentions(everything(project(second.project))) == []
