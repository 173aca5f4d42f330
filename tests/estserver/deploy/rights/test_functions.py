"""The rights of the functions: as reviewed, letter by letter, and without wildcards."""

import json

import pytest

from estserver.config import database
from estserver.deploy.recipe import function_policy
from estserver.deploy.rights.functions import FUNCTION_TRUST, gateway_log_policy
from estserver.deploy.rights.keys_in_use import CAKey, KeysInUse
from tests.estserver.deploy.account import ACCOUNT, ACM, DOMAIN, golden
from tests.pki.signers.toy import TOY

KMS_KEY = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/1"
SECRETS_KEY = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/2"
KEYS = KeysInUse(
    ca_keys=(CAKey("alias/est/est-server/device/device-ca", KMS_KEY, "", "device"),),
    secrets=(SECRETS_KEY,),
)
"""What KMS holds after the first deployment."""
PRIVATE_CA_ARN = (
    f"arn:aws:acm-pca:eu-central-1:{ACCOUNT}:certificate-authority/"
    "12345678-1234-1234-1234-123456789012"
)
REGISTERING = f"""
Properties:
  apiCustomDomainName: {DOMAIN}
  apiCertificateArn: {ACM}/est
  iotProvisioning: register
  deviceCaSigner: kms
  clientCaSigner: secretsmanager
  signers:
    kms: {{BACKEND: pki.signers.kms.KMSSigner}}
    secretsmanager: {{BACKEND: pki.signers.secretsmanager.SecretsManagerSigner}}
"""
JITP = f"""
Properties:
  apiCustomDomainName: {DOMAIN}
  apiCertificateArn: {ACM}/est
  iotProvisioning: jitp
  deviceCaSigner: secretsmanager
  clientCaSigner: secretsmanager
  signers:
    secretsmanager: {{BACKEND: pki.signers.secretsmanager.SecretsManagerSigner}}
"""
PRIVATE_CA = f"""
Properties:
  deviceCaSigner: privateca
  signers:
    privateca:
      BACKEND: pki.signers.privateca.PrivateCASigner
      OPTIONS: {{certificateAuthorityArn: "{PRIVATE_CA_ARN}"}}
  iotTargets:
    - {{name: us, region: us-east-1, roleArn: "arn:aws:iam::210987654321:role/est"}}
DeploymentOptions:
  vpcSubnetIds: [subnet-01234567]
  vpcSecurityGroupIds: [sg-01234567]
"""
MODES = {"register-kms": REGISTERING, "jitp-secretsmanager": JITP, "none-privateca": PRIVATE_CA}


@pytest.mark.parametrize("stage", ["est", "admin"])
@pytest.mark.parametrize("mode", ["register-kms", "jitp-secretsmanager"])
def test_rights_are_the_reviewed_ones(configured, mode, stage):
    """To review a change: tests/estserver/deploy/golden/, and say in the commit why."""
    assert function_policy(configured(MODES[mode]), stage, KEYS) == golden(f"{stage}-{mode}.json")


def statements_of(configured, mode, stage):
    return function_policy(configured(MODES[mode]), stage, KEYS)["Statement"]


@pytest.mark.parametrize("stage", ["est", "admin"])
@pytest.mark.parametrize("mode", list(MODES))
def test_T25_no_action_has_a_wildcard(configured, mode, stage):
    statements = statements_of(configured, mode, stage)
    statements += gateway_log_policy()["Statement"]

    for statement in statements:
        assert statement["Effect"] == "Allow"
        assert not [action for action in statement["Action"] if "*" in action]
        assert "NotAction" not in statement


@pytest.mark.parametrize("mode", list(MODES))
def test_T25_the_device_side_may_change_no_rights(configured, mode):
    actions = {a for s in statements_of(configured, mode, "est") for a in s["Action"]}

    assert not [a for a in actions if a.startswith(("iam:", "s3:", "apigateway:"))]
    assert not [a for a in actions if "Policy" in a and a != "iot:AttachPolicy"]
    assert "secretsmanager:PutSecretValue" not in actions


def test_T25_the_people_side_passes_one_role_only(configured):
    passing = [
        s
        for s in statements_of(configured, "jitp-secretsmanager", "admin")
        if "iam:PassRole" in s["Action"]
    ]

    role = f"arn:aws:iam::{ACCOUNT}:role/ESTServerDeviceProvisioningRole"
    assert [s["Resource"] for s in passing] == [role]


def test_without_things_the_device_side_has_nothing_to_do_with_iot(configured):
    text = JITP.replace("iotProvisioning: jitp", "iotProvisioning: none")
    statements = function_policy(configured(text), "est")["Statement"]

    assert not [a for s in statements for a in s["Action"] if a.startswith("iot:")]


def test_T25_with_jitp_the_device_side_renews_and_makes_no_things(configured):
    iot = {
        action
        for statement in statements_of(configured, "jitp-secretsmanager", "est")
        for action in statement["Action"]
        if action.startswith("iot:")
    }

    assert "iot:RegisterCertificate" in iot
    assert not iot & {"iot:CreateThing", "iot:UpdateCertificate", "iot:DeleteCertificate"}


def test_T55_a_key_is_named_by_its_arn(configured):
    signing = ["kms:GetPublicKey", "kms:Sign"]
    for stage, actions in {"est": signing, "admin": ["kms:DescribeKey", *signing]}.items():
        made = statements_of(configured, "register-kms", stage)
        issuing = statements_of(configured, "none-privateca", stage)

        assert [s for s in made if "kms:Sign" in s["Action"]] == [
            {
                "Sid": "SignWithKMS",
                "Effect": "Allow",
                "Action": actions,
                "Resource": [KMS_KEY],
            }
        ]
        [issuing] = [s for s in issuing if "acm-pca:IssueCertificate" in s["Action"]]
        assert issuing["Resource"] == [PRIVATE_CA_ARN]


def test_T55_before_there_is_a_key_the_functions_may_use_none(configured):
    for mode in MODES:
        for stage in ("est", "admin"):
            statements = function_policy(configured(MODES[mode]), stage)["Statement"]

            assert not [a for s in statements for a in s["Action"] if a.startswith("kms:")]


@pytest.mark.parametrize("stage", ["est", "admin"])
@pytest.mark.parametrize("mode", list(MODES))
def test_T55_no_function_makes_tags_or_names_a_key_or_uses_one_that_is_not_named(
    configured, mode, stage
):
    of_kms = [
        s
        for s in statements_of(configured, mode, stage)
        if any(action.startswith("kms:") for action in s["Action"])
    ]

    actions = {action for s in of_kms for action in s["Action"]}
    assert actions <= {
        *("kms:Decrypt", "kms:GenerateDataKey"),
        *("kms:DescribeKey", "kms:GetPublicKey", "kms:Sign"),
    }
    assert {arn for s in of_kms for arn in s["Resource"]} <= {KMS_KEY, SECRETS_KEY}
    for statement in of_kms:
        if SECRETS_KEY in statement["Resource"]:
            assert statement["Condition"] == {
                "StringEquals": {"kms:ViaService": "secretsmanager.eu-central-1.amazonaws.com"}
            }


ANY_RESOURCE = {
    # AWS has no resource for these:
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsiot.html
    *("iot:GetRegistrationCode", "iot:ListCACertificates", "iot:ListCertificates"),
    "iot:ListAttachedPolicies",
    *("iot:ListCertificatesByCA", "iot:ListPrincipalThings", "iot:RegisterCACertificate"),
    *("iot:RegisterCertificate", "iot:RegisterCertificateWithoutCA"),
}
NAMED_BY_AWS_OR_DEVICES = ("cert/*", "thing/*", "thinggroup/*", "cacert/*")
"""Ids that AWS IoT chooses, names that devices bring, and CAs that others have registered."""
HEADS = "arn:aws:s3:::est-server-audit-123456789012-eu-central-1/*"
"""The objects of a bucket of their own, named by the hour in which they are put."""
SUCCESSORS = ("secret:estIotCoreCaSecretKey4/*", "secret:estMtlsCaSecrets/*")
"""Secrets below a CA's, which the name of a successor completes."""


@pytest.mark.parametrize("stage", ["est", "admin"])
@pytest.mark.parametrize("mode", list(MODES))
def test_T55_a_wildcard_stands_only_where_nothing_narrower_is_known(configured, mode, stage):
    for statement in statements_of(configured, mode, stage):
        resources = statement["Resource"]
        for arn in [resources] if isinstance(resources, str) else resources:
            if arn == "*" and statement["Sid"] != "BeInTheVPC":
                assert {*statement["Action"]} <= ANY_RESOURCE
            elif arn.endswith("*") and arn != "*":
                narrow = arn.endswith((f"function:est-server-{stage}:*", f"est-server-{stage}:*"))
                named_later = (*NAMED_BY_AWS_OR_DEVICES, *SUCCESSORS)
                assert narrow or arn.endswith(named_later) or arn == HEADS


def test_T55_the_code_in_a_function_makes_no_network_interfaces(configured):
    for stage in ("est", "admin"):
        statements = statements_of(configured, "none-privateca", stage)
        [of_the_vpc] = [s for s in statements if "ec2:CreateNetworkInterface" in s["Action"]]

        # Every call of the code carries the key, and Lambda's own calls for the VPC do not.
        assert of_the_vpc["Condition"] == {"Null": {"lambda:SourceFunctionArn": "true"}}


def test_T55_what_is_tagged_in_aws_iot_is_tagged_as_this_installations(configured):
    statements = statements_of(configured, "register-kms", "admin")
    tagging = [s for s in statements if "iot:TagResource" in s["Action"]]

    for statement in tagging:
        if statement["Resource"].endswith("*"):
            assert statement["Condition"] == {
                "StringEquals": {"aws:RequestTag/est-server:made-by": "est-server"}
            }
    assert len(tagging) == 3


def test_secrets_are_made_for_the_CAs_that_are_in_secrets_only(configured):
    both_in_kms = REGISTERING.replace("clientCaSigner: secretsmanager", "clientCaSigner: kms")
    device = {"estIotCoreCaSecretCert4", "estIotCoreCaSecretKey4", "estIotCoreCaSecretKey4/*"}
    client = {
        *("estMtlsCaSecrets", "estMtlsCaSecrets/*"),
        *("estMtlsClientPfx", "estMtlsClientSecrets"),
    }
    wanted = {JITP: device | client, REGISTERING: client, both_in_kms: set()}

    for text, names in wanted.items():
        statements = function_policy(configured(text), "admin", KEYS)["Statement"]
        kept = [arn for s in statements if s["Sid"] == "KeepSecrets" for arn in s["Resource"]]
        assert {arn.rpartition(":")[2].removesuffix("-??????") for arn in kept} == names


def test_T55_a_key_that_the_signer_names_by_alias_is_pinned_by_its_arn(configured):
    text = REGISTERING.replace("KMSSigner}", "KMSSigner, OPTIONS: {key: alias/company-ca}}")
    theirs = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/theirs"
    keys = KeysInUse(named={"kms": theirs})

    statements = function_policy(configured(text), "admin", keys)["Statement"]

    [signing] = [s for s in statements if "kms:Sign" in s["Action"]]
    assert signing["Resource"] == [theirs]
    assert "Condition" not in signing


def test_a_signer_in_another_account_is_reached_through_its_role_only(configured):
    role = "arn:aws:iam::210987654321:role/ca"
    text = REGISTERING.replace("KMSSigner}", f'KMSSigner, OPTIONS: {{roleArn: "{role}"}}}}')

    statements = function_policy(configured(text), "est")["Statement"]

    assert not [s for s in statements if "kms:Sign" in s["Action"]]
    [reaching] = [s for s in statements if "sts:AssumeRole" in s["Action"]]
    assert reaching["Resource"] == [role]


def test_a_signer_of_ones_own_states_its_rights_and_that_it_has_a_CA(configured):
    deployment = configured(f"""
        Properties:
          deviceCaSigner: company
          signers:
            company: {{BACKEND: {TOY}, OPTIONS: {{caFile: ca.pem, apiArn: "arn:aws:x:::api"}}}}
        DeploymentOptions: {{generateIotCaCertificate: false}}
    """)

    for stage in ("est", "admin"):
        statements = function_policy(deployment, stage)["Statement"]
        assert {
            "Sid": "SignWithToy",
            "Effect": "Allow",
            "Action": ["execute-api:Invoke"],
            "Resource": ["arn:aws:x:::api"],
        } in statements


def test_the_rights_of_two_signers_of_a_kind_add_up(configured):
    one, other = (f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/{number}" for number in (1, 2))
    text = """
        Properties:
          deviceCaSigner: one
          clientCaSigner: other
          signers:
            one: {BACKEND: pki.signers.kms.KMSSigner, OPTIONS: {key: "alias/1"}}
            other: {BACKEND: pki.signers.kms.KMSSigner, OPTIONS: {key: "alias/2"}}
    """

    keys = KeysInUse(named={"one": one, "other": other})
    statements = function_policy(configured(text), "admin", keys)["Statement"]

    [signing] = [s for s in statements if "kms:Sign" in s["Action"]]
    assert (signing["Sid"], signing["Resource"]) == ("SignWithKMS", [one, other])
    sids = [s["Sid"] for s in statements]
    assert len(sids) == len(set(sids))
    # est signs for devices only.
    statements = function_policy(configured(text), "est", keys)["Statement"]
    [signing] = [s for s in statements if "kms:Sign" in s["Action"]]
    assert signing["Resource"] == [one]


def test_an_upstreams_client_certificate_in_a_secret_can_be_read(configured):
    text = """
        Properties:
          deviceCaSigner: up
          signers:
            up: {BACKEND: pki.signers.est.ESTSigner, OPTIONS: {clientSecret: est/ra}}
    """

    statements = function_policy(configured(text), "est")["Statement"]

    [reading] = [s for s in statements if s["Sid"] == "ReadSecrets"]
    assert (
        f"arn:aws:secretsmanager:eu-central-1:{ACCOUNT}:secret:est/ra-??????"
        in (reading["Resource"])
    )


def test_other_accounts_are_reached_through_the_roles_that_are_named(configured):
    statements = statements_of(configured, "none-privateca", "admin")

    [reaching] = [s for s in statements if "sts:AssumeRole" in s["Action"]]
    assert reaching["Resource"] == ["arn:aws:iam::210987654321:role/est"]


def test_only_lambda_and_api_gateway_may_take_the_role():
    [statement] = FUNCTION_TRUST["Statement"]

    assert statement["Principal"] == {
        "Service": ["apigateway.amazonaws.com", "lambda.amazonaws.com"]
    }


@pytest.mark.parametrize("stage", ["est", "admin"])
@pytest.mark.parametrize("mode", list(MODES))
def test_rights_fit_into_an_inline_policy(configured, mode, stage):
    document = json.dumps(
        function_policy(configured(MODES[mode]), stage, KEYS), separators=(",", ":")
    )

    assert len(document) < 10_240  # IAM's limit, white space not counted


def test_both_sides_read_the_databases_secret_by_name_or_arn(configured):
    arn = f"arn:aws:secretsmanager:eu-central-1:{ACCOUNT}:secret:rds!cluster-1-AbCdEf"
    wanted = {
        "est/db": f"arn:aws:secretsmanager:eu-central-1:{ACCOUNT}:secret:est/db-??????",
        arn: arn,
    }
    for name, resource in wanted.items():
        deployment = configured(f"Properties: {{databaseSecretName: '{name}'}}")
        for stage in ("est", "admin"):
            (reading,) = (
                statement
                for statement in function_policy(deployment, stage)["Statement"]
                if statement["Sid"] == "ReadSecrets"
            )
            assert resource in reading["Resource"]


def test_only_the_people_side_reads_the_key_of_its_sessions(configured):
    readers = {
        stage: "secret:est/secret-key-" in str(function_policy(configured(JITP), stage))
        for stage in ("est", "admin")
    }

    assert readers == {"est": False, "admin": True}


def test_aurora_dsql_is_connected_to_as_the_urls_user(configured, monkeypatch):
    monkeypatch.setattr(database, "DSQL_BACKEND", "json")  # stands for the adapter
    for user, action in {"admin": "dsql:DbConnectAdmin", "est": "dsql:DbConnect"}.items():
        url = f"dsql://{user}@abc.dsql.eu-central-1.on.aws/postgres"
        policy = function_policy(configured(f"Properties: {{databaseUrl: '{url}'}}"), "est")
        (connecting,) = (one for one in policy["Statement"] if one["Sid"] == "ConnectToDatabase")
        assert connecting["Action"] == [action]
        assert connecting["Resource"] == f"arn:aws:dsql:eu-central-1:{ACCOUNT}:cluster/abc"


NOTICE_TOPIC = f"arn:aws:sns:eu-central-1:{ACCOUNT}:notices"


@pytest.mark.parametrize("stage", ["est", "admin"])
def test_T133_the_admins_function_may_publish_to_the_topic_of_notices_alone(configured, stage):
    mode = JITP.replace("Properties:", f"Properties:\n  noticeTopicArn: {NOTICE_TOPIC}")

    statements = function_policy(configured(mode), stage, KEYS)["Statement"]

    rights = [one for one in statements if any("sns:" in action for action in one["Action"])]
    assert [(one["Action"], one["Resource"]) for one in rights] == (
        [(["sns:Publish"], NOTICE_TOPIC)] if stage == "admin" else []
    )


def test_the_admins_function_reads_the_password_of_the_mail_server(configured):
    keys = "smtpHost: mail.example.com\n  smtpUser: est\n  smtpPasswordSecretName: est/mail"
    mode = JITP.replace("Properties:", f"Properties:\n  {keys}")

    policies = {
        stage: json.dumps(function_policy(configured(mode), stage, KEYS))
        for stage in ("est", "admin")
    }

    assert "secret:est/mail-" in policies["admin"]
    assert "est/mail" not in policies["est"]
