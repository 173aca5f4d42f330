"""The CAs' keys in KMS: made by the deployment, and named by ARN in the functions' roles (T55)."""

import io
import json
from dataclasses import replace

import pytest
from django.core.management import CommandError, call_command

from estserver.deploy.engine.runs import StepFailed, carry_out, intentions
from estserver.deploy.lifecycle import deploy
from estserver.deploy.lifecycle.status import status
from estserver.deploy.recipe import everything, preparation
from estserver.deploy.resources.ca_keys import CAKeys
from pki.authorities.create import create_authority
from pki.authorities.succeed import make_successor
from pki.aws.clients import AWSLocation, aws_client
from pki.models import CertificateAuthority
from pki.operators.errors import OperatorError
from pki.signers import get_signer
from tests.conftest import TESTER
from tests.estserver.deploy.account import ACCOUNT, CONFIG, zappa_deploy
from tests.pki.signers.kms.keys import DAY
from tests.support.aws_faults import aws_calls

pytestmark = pytest.mark.django_db(transaction=True)

IN_KMS = CONFIG.replace(
    "deviceCaSigner: secretsmanager", "deviceCaSigner: kms\n  clientCaSigner: kms"
).replace(
    "pki.signers.secretsmanager.SecretsManagerSigner}",
    "pki.signers.secretsmanager."
    "SecretsManagerSigner}\n    kms: {BACKEND: pki.signers.kms.KMSSigner}",
)
DEVICE, CLIENT = "alias/est/est-server/device/device-ca", "alias/est/est-server/client/client-ca"
SPEC = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}


@pytest.fixture
def in_kms(aws_cloud, configured, settings):
    """An installation whose CAs are in KMS; this process stands for the admin's function."""
    deployment = configured(IN_KMS)
    settings.PKI = replace(
        settings.PKI,
        signers={"kms": {"BACKEND": "pki.signers.kms.KMSSigner", "OPTIONS": {}}},
        can_make_keys=False,
        project_name="est-server",
    )
    get_signer.cache_clear()
    yield deployment
    get_signer.cache_clear()


def made_with(algorithm):
    return create_authority(
        CertificateAuthority.Purpose.DEVICE,
        "device-ca",
        common_name="The device CA",
        key_algorithm=algorithm,
        validity=365 * DAY,
        signer="kms",
        actor=TESTER,
    )


def arns(region=""):
    """The ARN of each key with an alias for a CA."""
    kms = aws_client("kms", AWSLocation(region))
    listed = kms.list_aliases()["Aliases"]
    return {
        each["AliasName"]: kms.describe_key(KeyId=each["AliasName"])["KeyMetadata"]["Arn"]
        for each in listed
        if each["AliasName"].startswith("alias/est/")
    }


def may_sign_with(deployment, stage):
    """The keys that a function's role names."""
    document = aws_client("iam").get_role_policy(
        RoleName=deployment.role(stage), PolicyName="est-server"
    )["PolicyDocument"]
    signing = [s for s in document["Statement"] if "kms:Sign" in s["Action"]]
    assert all("Condition" not in s for s in signing)
    return {arn for s in signing for arn in s["Resource"]}


def foreign(alias, deployment, description=""):
    """A key of somebody else, which the tag of this installation was set on."""
    kms = aws_client("kms")
    arn = kms.create_key(**SPEC, Description=description)["KeyMetadata"]["Arn"]
    tags = [{"TagKey": t["Key"], "TagValue": t["Value"]} for t in deployment.tag_list()]
    kms.tag_resource(KeyId=arn, Tags=tags)
    kms.create_alias(AliasName=alias, TargetKeyId=arn)
    return arn


def test_T55_the_first_deployment_makes_the_keys_and_the_roles_name_them(in_kms, said, clock):
    deploy.prepare(say=said, clock=clock)

    made = arns()
    assert {*made} == {DEVICE, CLIENT}
    for stage in ("est", "admin"):
        assert may_sign_with(in_kms, stage) == {*made.values()}
    for alias, arn in made.items():
        assert f"The functions may sign with {alias} ({arn})." in said.lines
    kms = aws_client("kms")
    described = kms.describe_key(KeyId=DEVICE)["KeyMetadata"]
    assert (described["KeySpec"], described["KeyUsage"]) == ("ECC_NIST_P256", "SIGN_VERIFY")
    tags = kms.list_resource_tags(KeyId=described["KeyId"])["Tags"]
    assert in_kms.is_ours({tag["TagKey"]: tag["TagValue"] for tag in tags})
    assert made_with("ec-p256").key_reference == made[DEVICE]
    assert deploy.prepare(say=said, clock=clock).changed == ()


def test_a_dry_run_shows_the_keys_and_makes_none(in_kms, said):
    deploy.prepare(say=said, is_dry_run=True)

    assert arns() == {}
    assert "CA key device/device-ca" in said.lines
    assert f'"AliasName": "{CLIENT}"' in said.text


def test_T55_the_key_of_a_successor_is_made_by_a_command(in_kms, said, clock):
    deploy.prepare(say=said, clock=clock)
    zappa_deploy(in_kms, "admin")
    old = made_with("ec-p256")
    printed = io.StringIO()

    call_command("aws_deploy", "--successor-key", "device-ca", "--dry-run", stdout=printed)
    assert len(arns()) == 2
    call_command("aws_deploy", "--successor-key", "device-ca", stdout=printed)

    new_key = arns()["alias/est/est-server/device/device-ca-2"]
    assert "manage.py aws_run ca_successor device-ca --reason TEXT" in printed.getvalue()
    for stage in ("est", "admin"):
        assert new_key in may_sign_with(in_kms, stage)
        assert old.key_reference in may_sign_with(in_kms, stage)
    with aws_calls() as calls:
        new = make_successor(old, actor=TESTER, reason="half of its time is over")
    assert new.key_reference == new_key
    assert not {"kms:CreateKey", "kms:CreateAlias", "kms:TagResource"} & {*calls}
    printed = io.StringIO()
    with pytest.raises(CommandError, match="Only an active CA can have a successor"):
        call_command("aws_deploy", "--successor-key", "device-ca", stdout=printed)
    call_command("aws_deploy", "--prepare", stdout=printed)
    assert "nothing had to be changed" in printed.getvalue()


def test_T55_a_successor_that_needs_no_key_of_the_deployment_is_said(in_kms, said, clock, settings):
    deploy.prepare(say=said, clock=clock)
    with pytest.raises(OperatorError, match="the admin's function, which is not deployed"):
        deploy.make_successor_key("device-ca", say=said)
    zappa_deploy(in_kms, "admin")
    made_with("ec-p256")
    with pytest.raises(OperatorError, match="no CA"):
        deploy.make_successor_key("no-ca", say=said)

    in_secrets = {"device_ca_signer": "secretsmanager", "client_ca_signer": "secretsmanager"}
    properties = replace(settings.CONFIG.properties, **in_secrets)
    settings.CONFIG = replace(settings.CONFIG, properties=properties)
    with pytest.raises(OperatorError, match="'kms' has no keys that aws_deploy makes"):
        deploy.make_successor_key("device-ca", say=said)


def test_T55_a_foreign_key_with_our_tag_and_an_alias_of_ours_is_not_named(in_kms, said, clock):
    theirs = [
        foreign("alias/est/device-ca-1234abcd", in_kms),
        foreign("alias/est/payments", in_kms, "Signs payments"),
    ]

    deploy.prepare(say=said, clock=clock)

    for stage in ("est", "admin"):
        assert not {*theirs} & may_sign_with(in_kms, stage)
    assert {DEVICE, CLIENT} <= {*arns()}


def test_T55_a_foreign_key_under_the_name_of_ours_ends_the_deployment(in_kms, said, clock):
    foreign(DEVICE, in_kms, "Signs payments")

    with pytest.raises(
        StepFailed, match=r"CA key device/device-ca: kms:CreateAlias failed.*Delete"
    ):
        deploy.prepare(say=said, clock=clock)


def test_keys_that_the_functions_of_an_earlier_version_made_are_pinned(in_kms, said, clock):
    alias = "alias/est/device-ca-1234abcd"
    arn = foreign(alias, in_kms, "CA key device-ca-1234abcd of the EST server")
    second = foreign(
        "alias/est/device-ca-2-00ff00ff", in_kms, "CA key device-ca-2-00ff00ff of the EST server"
    )

    deploy.prepare(say=said, clock=clock)

    assert {*arns()} == {alias, "alias/est/device-ca-2-00ff00ff", CLIENT}  # no second first one
    assert {arn, second} <= may_sign_with(in_kms, "est")


def test_a_key_for_a_successor_that_could_not_sign_is_refused(in_kms, said, clock):
    deploy.prepare(say=said, clock=clock)
    zappa_deploy(in_kms, "admin")
    made_with("ec-p256")
    deploy.make_successor_key("device-ca", say=said)
    key = arns()["alias/est/est-server/device/device-ca-2"]
    aws_client("kms").disable_key(KeyId=key.rpartition("/")[2])

    with pytest.raises(StepFailed, match=r"is ECC_NIST_P256 and Disabled, and the CA needs one"):
        deploy.make_successor_key("device-ca", say=said)


def test_T55_an_alias_that_the_options_name_is_pinned_by_its_arn(
    aws_cloud, configured, said, clock
):
    text = IN_KMS.replace("KMSSigner}", "KMSSigner, OPTIONS: {key: alias/company-ca}}")
    deployment = configured(text)
    with pytest.raises(StepFailed, match=r"no key alias/company-ca in KMS in eu-central-1, which"):
        deploy.prepare(say=said, clock=clock)
    arn = aws_client("kms").create_key(**SPEC)["KeyMetadata"]["Arn"]
    aws_client("kms").create_alias(AliasName="alias/company-ca", TargetKeyId=arn)

    deploy.prepare(say=said, clock=clock)

    assert may_sign_with(deployment, "est") == {arn}
    assert arns() == {}
    assert f"The functions may sign with the key of the signer kms ({arn})." in said.lines


def test_keys_are_made_and_removed_in_the_region_of_the_options(aws_cloud, configured, said, clock):
    text = IN_KMS.replace("KMSSigner}", "KMSSigner, OPTIONS: {region: us-east-1}}")
    deployment = configured(text)

    deploy.prepare(say=said, clock=clock)

    assert arns() == {}
    made = arns("us-east-1")
    assert {*made} == {DEVICE, CLIENT}
    assert all(arn.startswith(f"arn:aws:kms:us-east-1:{ACCOUNT}:key/") for arn in made.values())
    assert may_sign_with(deployment, "est") == {*made.values()}
    [intended] = intentions([CAKeys(deployment)], removing=True)
    assert {call.region for call in intended.calls} == {"us-east-1"}
    assert "kms:ScheduleKeyDeletion in us-east-1 {" in str(intended.calls[0])


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ("iotCoreCaCertificatePath: ca.pem", {CLIENT}),
        ("mTlsTruststoreCertificatesChainFile: ca.pem", {DEVICE}),
    ],
)
def test_no_key_is_made_for_a_CA_that_is_not_made(aws_cloud, configured, options, wanted, tmp_path):
    (tmp_path / "ca.pem").write_text("")
    text = IN_KMS + f"  {options.replace('ca.pem', str(tmp_path / 'ca.pem'))}\n"
    names = {step.alias for step in preparation(configured(text)) if "CA key" in step.name}

    assert names == wanted


def test_a_role_that_lacks_a_key_is_named_by_the_status(in_kms, performer):
    carry_out(preparation(in_kms), performer)
    foreign(
        "alias/est/device-ca-2-00ff00ff", in_kms, "CA key device-ca-2-00ff00ff of the EST server"
    )

    rows = {row.name: row for row in status(in_kms, everything(in_kms))}

    role = rows[f"role {in_kms.role('est')}"]
    assert (role.level, role.finding) == ("FAIL", "its policy differs")


def test_T55_the_key_of_secrets_is_named_by_its_arn(deployment, said, clock):
    deploy.prepare(say=said, clock=clock)

    key = aws_client("kms").describe_key(KeyId="alias/est-server-secrets")["KeyMetadata"]["Arn"]
    document = aws_client("iam").get_role_policy(
        RoleName=deployment.role("admin"), PolicyName="est-server"
    )["PolicyDocument"]
    using = [s for s in document["Statement"] if any("kms:" in a for a in s["Action"])]
    assert [s["Sid"] for s in using] == ["ReadSecretsDecrypted", "EncryptSecrets"]
    assert all(s["Resource"] == [key] for s in using)
    assert "key/*" not in json.dumps(document)
