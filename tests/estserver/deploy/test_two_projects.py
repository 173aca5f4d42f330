"""Two installations in one account: neither uses, changes or removes what is the other's (T60)."""

from dataclasses import replace
from fnmatch import fnmatchcase
from secrets import token_urlsafe

import pytest

from estserver.deploy.engine.runs import StepFailed, carry_out, intentions, take_away
from estserver.deploy.front_door.domain import ADOPTED, CustomDomain
from estserver.deploy.lifecycle import deploy
from estserver.deploy.recipe import (
    everything,
    function_policy,
    removable,
)
from estserver.deploy.resources.named_resources import names
from estserver.deploy.rights.key_lookup import find_keys
from estserver.deploy.rights.keys_in_use import CAKey, KeysInUse
from pki.aws.clients import aws_client
from pki.aws.ownership import MADE_BY
from pki.operators.errors import OperatorError
from pki.signers import get_signer
from tests.estserver.deploy import moto_iot
from tests.estserver.deploy.account import ACCOUNT, REGION, world, zappa_deploy
from tests.estserver.deploy.projects import DEFAULT, STAGING, deployed, project, text_of
from tests.support.builders import make_key

__all__ = ["deployed", "project"]

pytestmark = pytest.mark.django_db(transaction=True)

KMS = f"arn:aws:kms:{REGION}:{ACCOUNT}:key"


def put_secret(name, owner=""):
    tags = [{"Key": MADE_BY, "Value": owner}] if owner else []
    text = token_urlsafe(50)  # the key of the sessions may not be weak
    aws_client("secretsmanager").create_secret(Name=name, SecretString=text, Tags=tags)


def secrets():
    listed = aws_client("secretsmanager").list_secrets()["SecretList"]
    return {each["Name"]: each.get("Tags", []) for each in listed}


def of_project(name):
    """What there is of a project, as far as names tell."""
    return {
        kind: sorted(
            str(each) for each in held if f"{name}-" in str(each) or f"{name}/" in str(each)
        )
        for kind, held in {**world(), "secrets": [*secrets()]}.items()
        if isinstance(held, list)
    }


def test_T60_two_projects_are_made_used_updated_and_one_is_removed(
    deployed, project, performer, said, clock
):
    keys = {DEFAULT: make_key("ec-p256", 0), STAGING: make_key("ec-p256", 1)}
    for name, key in keys.items():
        deployed(name, key)

    # Each has what it made, and signs with its own key.
    for name, key in keys.items():
        deployment = project(name)
        assert intentions(everything(deployment)) == []
        secret = deployment.config.properties.iot_core_est_ca_key_secret_name
        held = get_signer("secretsmanager").private_key(secret)
        assert held.public_key() == key.public_key()
        assert find_keys(deployment).secrets != ()
    assert "estIotCoreCaSecretKey4" in secrets()
    assert "staging/estIotCoreCaSecretKey4" in secrets()
    assert {"est/secret-key", "staging/est/secret-key"} <= {*secrets()}

    # One is updated, the other is as it should be.
    changed = project(STAGING, options="  logRetentionDays: 30\n")
    assert carry_out(everything(changed), performer).changed != ()
    assert intentions(everything(project(DEFAULT))) == []

    # One is removed, the other is untouched.
    before = (
        of_project(DEFAULT),
        {name: tags for name, tags in secrets().items() if "/" not in name},
    )
    take_away(removable(changed, with_audit_heads=True), performer)
    assert "staging/estIotCoreCaSecretKey4" not in secrets()
    assert "staging" not in str(of_project(STAGING)["functions"])
    after = of_project(DEFAULT), {name: tags for name, tags in secrets().items() if "/" not in name}
    assert after == before
    assert intentions(everything(project(DEFAULT))) == []
    assert deploy.prepare(say=said, clock=clock).changed == ()


@pytest.mark.parametrize("owner", [DEFAULT, STAGING])
def test_T60_a_named_secret_of_another_project_is_refused_before_anything_is_made(
    project, said, clock, owner
):
    other = STAGING if owner == DEFAULT else DEFAULT
    put_secret("shared", owner)
    before = world()
    project(other, properties="  estMtlsCaSecretsName: shared\n  databaseSecretName: shared\n")

    with pytest.raises(StepFailed) as refused:
        deploy.prepare(say=said, clock=clock)

    text = str(refused.value)
    assert f"the secret shared (estMtlsCaSecretsName) to {owner}" in text
    assert f"the secret shared (databaseSecretName) to {owner}" in text
    assert "Nothing is done yet." in text
    assert world() == before


@pytest.mark.parametrize("key", ["iotPolicyName", "iotTemplateName"])
def test_T60_a_named_policy_or_template_of_another_project_is_refused(
    project, said, clock, key, monkeypatch
):
    moto_iot.fill(monkeypatch)
    tags = [{"Key": MADE_BY, "Value": DEFAULT}]
    iot = aws_client("iot")
    if key == "iotPolicyName":
        iot.create_policy(policyName="shared", policyDocument="{}", tags=tags)
    else:
        deployment = project(DEFAULT)
        role = aws_client("iam").create_role(
            RoleName="r", AssumeRolePolicyDocument='{"Principal": "iot.amazonaws.com"}'
        )
        iot.create_provisioning_template(
            templateName="shared",
            templateBody="{}",
            provisioningRoleArn=role["Role"]["Arn"],
            tags=tags,
        )
        assert deployment.project == DEFAULT
    project(STAGING, properties=f"  {key}: shared\n")

    with pytest.raises(StepFailed, match=rf"shared \({key}\) to est-server"):
        deploy.prepare(say=said, clock=clock)


def a_bucket(deployment):
    s3 = aws_client("s3")
    s3.create_bucket(
        Bucket="shared", CreateBucketConfiguration={"LocationConstraint": deployment.region}
    )
    tags = [{"Key": MADE_BY, "Value": DEFAULT}]
    s3.put_bucket_tagging(Bucket="shared", Tagging={"TagSet": tags})


def a_key_for_secrets(deployment):
    kms = aws_client("kms")
    tags = [{"TagKey": MADE_BY, "TagValue": DEFAULT}]
    made = kms.create_key(Tags=tags)["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=deployment.key_alias, TargetKeyId=made)


def a_role(deployment):
    aws_client("iam").create_role(
        RoleName=deployment.config.properties.iot_provisioning_role_name,
        AssumeRolePolicyDocument="{}",
        Tags=[{"Key": MADE_BY, "Value": DEFAULT}],
    )


def a_log_group(deployment):
    aws_client("logs").create_log_group(
        logGroupName=deployment.function_log_group("est"), tags={MADE_BY: DEFAULT}
    )


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (a_bucket, "The bucket shared"),
        (a_key_for_secrets, "The KMS key alias/staging-secrets"),
        (a_role, "The role staging-device-provisioning"),
        (a_log_group, "The log group /aws/lambda/staging-est"),
    ],
)
def test_T60_a_resource_of_another_project_is_not_adopted(project, said, clock, make, what):
    deployment = project(STAGING, options="  truststoreBucket: shared\n")
    make(deployment)

    with pytest.raises(StepFailed) as refused:
        deploy.prepare(say=said, clock=clock)

    assert f"{what} belongs to the project est-server" in str(refused.value)


@pytest.mark.parametrize("adopts", [False, True])
@pytest.mark.parametrize("tag", [MADE_BY, ADOPTED])
def test_T60_a_domain_of_another_project_is_not_even_adopted(project, performer, tag, adopts):
    deployment = project(STAGING)
    domain = deployment.domains[1]
    aws_client("apigateway").create_domain_name(domainName=domain.name, tags={tag: DEFAULT})

    with pytest.raises(StepFailed) as refused:
        carry_out([CustomDomain(deployment, domain, adopts)], performer)

    assert f"The domain {domain.name} belongs to the project est-server" in str(refused.value)


def test_T60_a_key_in_kms_of_another_project_encrypts_no_secret(project, said, clock):
    tags = [{"TagKey": MADE_BY, "TagValue": DEFAULT}]
    arn = aws_client("kms").create_key(Tags=tags)["KeyMetadata"]["Arn"]
    deployment = project(STAGING)
    signers = dict(deployment.config.properties.signers)
    signers["secretsmanager"] = replace(signers["secretsmanager"], options={"kmsKeyId": arn})
    deployment = replace(
        deployment,
        config=replace(
            deployment.config, properties=replace(deployment.config.properties, signers=signers)
        ),
    )

    with pytest.raises(OperatorError, match=r"key in KMS .* belongs to the project est-server"):
        find_keys(deployment)


# What an earlier version named alike


def test_T60_a_second_project_that_is_alone_under_the_samples_names_is_told_how_to_keep_them(
    project, said, clock
):
    for name in ("estMtlsCaSecrets", "estIotCoreCaSecretKey4", "est/secret-key"):
        put_secret(name, STAGING)
    project(STAGING)

    with pytest.raises(StepFailed) as refused:
        deploy.prepare(say=said, clock=clock)

    lines = (
        '  secretKeySecretName: "est/secret-key"\n'
        '  iotCoreEstCaKeySecretName: "estIotCoreCaSecretKey4"\n'
        '  estMtlsCaSecretsName: "estMtlsCaSecrets"\n'
    )
    for line in lines.splitlines():
        assert line.strip() in str(refused.value)
    project(STAGING, properties=lines)
    deploy.prepare(say=said, clock=clock)


def test_T60_a_second_project_that_shares_its_cas_is_told_how_to_part(project, said, clock):
    put_secret("estIotCoreCaSecretKey4", DEFAULT)
    deployment = project(STAGING)
    deploy.prepare(say=said, clock=clock)  # a new project shares nothing
    zappa_deploy(deployment, "admin")

    with pytest.raises(StepFailed) as refused:
        deploy.prepare(say=said, clock=clock)

    text = str(refused.value)
    assert "shares the keys of its CAs with est-server: the secrets estIotCoreCaSecretKey4" in text
    line = 'iotCoreEstCaKeySecretName: "staging/estIotCoreCaSecretKey4"'
    assert line in text
    project(STAGING, properties=f"  {line}\n")
    assert deploy.prepare(say=said, clock=clock)


# Rights


PROJECTS = [DEFAULT, STAGING, "est", "est-server-2"]
ACCOUNT_WIDE = (":cacert/", ":cert/", ":thing/", ":thinggroup/")
"""Things and certificates in AWS IoT have no project: a region of an account has one registry."""


def keys_of(name):
    alias = f"alias/est/{name}/device/device-ca"
    return KeysInUse((CAKey(alias, f"{KMS}/{name}-ca", "", "device"),), {}, (f"{KMS}/{name}-s",))


def arns_of(deployment):
    """ARNs of what a project has that no other may use."""
    found = [
        deployment.arn("secretsmanager", f"secret:{each.name}{suffix}")
        for each in names(deployment)
        if not each.arn
        for suffix in ("", "-AbCdEf", "/device-ca-2-0123abcd-AbCdEf")
    ]
    found += [each.arn for each in names(deployment) if each.arn]
    found += [f"{KMS}/{deployment.project}-ca", f"{KMS}/{deployment.project}-s"]
    found += [deployment.arn("lambda", f"function:{deployment.function('admin')}")]
    found += [deployment.role_arn(deployment.config.properties.iot_provisioning_role_name)]
    found += [f"arn:aws:s3:::{deployment.audit_heads_bucket}/2030"]
    found += [deployment.arn("logs", f"log-group:{deployment.function_log_group('est')}:x")]
    return found


def resources(document):
    for statement in document["Statement"]:
        held = statement["Resource"]
        yield from [held] if isinstance(held, str) else held


@pytest.mark.parametrize("stage", ["est", "admin"])
@pytest.mark.parametrize("one", PROJECTS)
def test_T60_no_function_may_use_what_is_another_projects(configured, one, stage):
    allowed = {*resources(function_policy(configured(text_of(one)), stage, keys_of(one)))}
    assert any(
        fnmatchcase(arn, each) for arn in arns_of(configured(text_of(one))) for each in allowed
    )

    for other in set(PROJECTS) - {one}:
        theirs = arns_of(configured(text_of(other)))
        reached = {
            (arn, each)
            for arn in theirs
            for each in allowed - {"*"}
            if fnmatchcase(arn, each) and not any(part in each for part in ACCOUNT_WIDE)
        }
        assert reached == set()


@pytest.mark.parametrize("stage", ["est", "admin"])
def test_T60_only_actions_without_a_narrower_resource_are_allowed_on_all(configured, stage):
    document = function_policy(configured(text_of(STAGING)), stage, keys_of(STAGING))
    on_all = {
        action
        for statement in document["Statement"]
        if statement["Resource"] == "*"
        for action in statement["Action"]
    }

    assert not [action for action in on_all if action.startswith(("secretsmanager:", "kms:"))]
