"""The rights of the two functions and of API Gateway, as data: no action has a wildcard.

Where a resource is ``*``, AWS knows no narrower one for that action:
https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsiot.html
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from estserver.config import MADE_BY
from estserver.deploy.alarms import METRIC_NAMESPACE
from estserver.deploy.deployment import Deployment, StageName

Statement = dict[str, Any]
Document = dict[str, Any]

SIGNING_SECRETS = "pki.signers.secretsmanager."
CA_KEY_ALIASES = "alias/est/"
"""What the names of CA keys in KMS begin with."""


def _document(statements: list[Statement]) -> Document:
    return {"Version": "2012-10-17", "Statement": statements}


def trust(*services: str) -> Document:
    """A trust policy: these services may take the role."""
    return _document(
        [
            {
                "Effect": "Allow",
                "Principal": {"Service": sorted(services)},
                "Action": "sts:AssumeRole",
            }
        ]
    )


FUNCTION_TRUST = trust("lambda.amazonaws.com", "apigateway.amazonaws.com")
"""Lambda runs the function with the role; API Gateway calls the function with it, because Zappa
makes it the integration's credentials.
"""
GATEWAY_LOG_TRUST = trust("apigateway.amazonaws.com")


def gateway_log_policy() -> Document:
    """What API Gateway's log role may do: the account has one, for the logs of every API.

    The actions are those that API Gateway looks for before it takes the role:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
    """
    verbs = ("CreateLogGroup", "CreateLogStream", "DescribeLogGroups", "DescribeLogStreams")
    more = ("FilterLogEvents", "GetLogEvents", "PutLogEvents")
    return _document([_allow("WriteLogs", [f"logs:{verb}" for verb in (*verbs, *more)], "*")])


def function_policy(deployment: Deployment, stage: StageName) -> Document:
    """What a stage's function may do."""
    statements = [*_running(deployment, stage), *_signing(deployment, stage)]
    if stage == "est":
        statements += _registering(deployment)
    else:
        statements += [
            *_making_cas(deployment),
            *_provisioning(deployment),
            *_truststore(deployment),
        ]
    statements += _other_accounts(deployment, stage)
    return _document(statements)


def _allow(
    sid: str,
    actions: Iterable[str],
    resources: str | list[str],
    condition: Mapping[str, Mapping[str, Any]] | None = None,
) -> Statement:
    statement: Statement = {
        "Sid": sid,
        "Effect": "Allow",
        "Action": sorted(actions),
        "Resource": resources,
    }
    if condition:
        statement["Condition"] = {key: dict(value) for key, value in condition.items()}
    return statement


def _running(deployment: Deployment, stage: StageName) -> Iterator[Statement]:
    function = deployment.arn("lambda", f"function:{deployment.function(stage)}")
    logs = deployment.arn("logs", f"log-group:{deployment.function_log_group(stage)}:*")
    # The function's versions and aliases are called by qualified names.
    yield _allow("BeCalled", ["lambda:InvokeFunction"], [function, f"{function}:*"])
    yield _allow("WriteLogs", ["logs:CreateLogStream", "logs:PutLogEvents"], logs)
    if deployment.config.deployment.vpc_subnet_ids:
        # https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
        interfaces = ("Create", "Delete", "Describe")
        yield _allow(
            "BeInTheVPC",
            [
                f"ec2:{verb}NetworkInterface{'s' if verb == 'Describe' else ''}"
                for verb in interfaces
            ]
            + ["ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"],
            "*",
        )


def _signing(deployment: Deployment, stage: StageName) -> Iterator[Statement]:
    """The CAs' keys: in KMS, in Secrets Manager, or at AWS Private CA."""
    values = deployment.config.properties
    backends = {str(signer["BACKEND"]) for signer in _signers(deployment, stage)}
    kms = _options(deployment, stage, ".kms.")
    if kms:
        actions = ["kms:DescribeKey", "kms:GetPublicKey", "kms:Sign"]
        yield from _by_name_or_tag(deployment, "SignWithKMS", actions, "kms", "key/*", kms)
        if stage == "admin" and not all(options.get("key") for options in kms):
            yield from _making_keys(deployment)
    private_ca = _options(deployment, stage, ".privateca.")
    if private_ca:
        actions = [
            "acm-pca:DescribeCertificateAuthority",
            "acm-pca:GetCertificate",
            "acm-pca:GetCertificateAuthorityCertificate",
            "acm-pca:IssueCertificate",
        ]
        if stage == "admin":
            actions.append("acm-pca:RevokeCertificate")
        yield from _by_name_or_tag(
            deployment,
            "SignWithPrivateCA",
            actions,
            "acm-pca",
            "certificate-authority/*",
            private_ca,
        )
    names = {values.custom_secret_name}
    if any(backend.startswith(SIGNING_SECRETS) for backend in backends):
        names |= {
            values.iot_core_est_ca_cert_secret_name,
            values.iot_core_est_ca_key_secret_name,
        }
    yield from _reading_secrets(deployment, "ReadSecrets", sorted(names))


def _signers(deployment: Deployment, stage: StageName) -> list[Mapping[str, Any]]:
    """Settings of the signers that a stage uses; only people have client certificates signed."""
    values = deployment.config.properties
    aliases = [values.device_ca_signer] + ([values.client_ca_signer] if stage == "admin" else [])
    known = deployment.config.signer_settings()
    return [known[alias] for alias in dict.fromkeys(aliases) if alias in known]


def _options(deployment: Deployment, stage: StageName, backend: str) -> list[Mapping[str, Any]]:
    """Options of the signers of a kind; what another account's role reaches isn't ours to allow."""
    return [
        signer["OPTIONS"]
        for signer in _signers(deployment, stage)
        if backend in signer["BACKEND"] and not signer["OPTIONS"].get("roleArn")
    ]


def _by_name_or_tag(
    deployment: Deployment,
    sid: str,
    actions: list[str],
    service: str,
    resource: str,
    options: Iterable[Mapping[str, Any]],
) -> Iterator[Statement]:
    """What the signers' options name by ARN or alias, and what carries our tag: we made it."""
    named = [value for each in options for value in each.values() if isinstance(value, str)]
    arns = sorted({name for name in named if name.startswith("arn:") and f":{service}:" in name})
    aliases = sorted({name for name in named if name.startswith("alias/")})
    anything = f"arn:{deployment.partition}:{service}:*:{deployment.account}:{resource}"
    if arns:
        yield _allow(f"{sid}ByName", actions, arns)
    if aliases:
        by_alias = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": aliases}}
        yield _allow(f"{sid}ByAlias", actions, anything, by_alias)
    if not arns and not aliases:
        yield _allow(sid, actions, anything, _our_tag(deployment, "aws:ResourceTag"))


def _making_keys(deployment: Deployment) -> Iterator[Statement]:
    """`bootstrap_cas` with the KMS signer: keys that carry our tag from their first moment."""
    keys = f"arn:{deployment.partition}:kms:*:{deployment.account}:key/*"
    aliases = f"arn:{deployment.partition}:kms:*:{deployment.account}:{CA_KEY_ALIASES}*"
    making = ["kms:CreateKey", "kms:TagResource"]
    yield _allow("MakeKeys", making, "*", _our_tag(deployment, "aws:RequestTag"))
    yield _allow("NameKeys", ["kms:CreateAlias"], aliases)
    ours = _our_tag(deployment, "aws:ResourceTag")
    yield _allow("NameOurKeys", ["kms:CreateAlias"], keys, ours)


def _our_tag(deployment: Deployment, where: str) -> dict[str, dict[str, Any]]:
    return {"StringEquals": {f"{where}/{MADE_BY}": deployment.project}}


def _secret_arns(deployment: Deployment, names: Iterable[str]) -> list[str]:
    # Secrets Manager adds a hyphen and six characters to a name.
    return [deployment.arn("secretsmanager", f"secret:{name}-??????") for name in names]


def _reading_secrets(deployment: Deployment, sid: str, names: list[str]) -> Iterator[Statement]:
    yield _allow(
        sid,
        ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"],
        _secret_arns(deployment, names),
    )
    yield _allow(
        f"{sid}Decrypted", ["kms:Decrypt"], deployment.arn("kms", "key/*"), _our_key(deployment)
    )


def _our_key(deployment: Deployment) -> dict[str, dict[str, Any]]:
    return {
        "StringEquals": {
            "kms:ViaService": f"secretsmanager.{deployment.region}.amazonaws.com",
            f"aws:ResourceTag/{MADE_BY}": deployment.project,
        }
    }


def _registering(deployment: Deployment) -> Iterator[Statement]:
    """Mode `register`: the things of an enrollment, and no more."""
    if deployment.config.iot_provisioning != "register":
        return
    certificates = deployment.arn("iot", "cert/*")
    things = deployment.arn("iot", "thing/*")
    yield _allow(
        "RegisterInIoT",
        ["iot:RegisterCertificate", "iot:RegisterCertificateWithoutCA"],
        "*",
    )
    yield _allow("DescribeInIoT", ["iot:DescribeCertificate"], certificates)
    yield _allow("MakeThings", ["iot:CreateThing", "iot:DescribeThing"], things)
    yield _allow("AttachInIoT", ["iot:AttachPolicy"], certificates)
    yield _allow("AttachThings", ["iot:AttachThingPrincipal"], [certificates, things])


def _other_accounts(deployment: Deployment, stage: StageName) -> Iterator[Statement]:
    """Registries and signers of other accounts, through the roles that the configuration names."""
    roles = {str(signer["OPTIONS"].get("roleArn", "")) for signer in _signers(deployment, stage)}
    if stage == "admin" or deployment.config.iot_provisioning == "register":
        roles |= {target.role_arn for target in deployment.config.properties.iot_targets}
    if roles := roles - {""}:
        yield _allow("ReachOtherAccounts", ["sts:AssumeRole"], sorted(roles))


def _making_cas(deployment: Deployment) -> Iterator[Statement]:
    """`bootstrap_cas` in the admin's function: CAs and clients, kept in Secrets Manager."""
    values = deployment.config.properties
    names = sorted(
        {
            values.est_mtls_ca_secrets_name,
            values.est_mtls_client_secrets_name,
            values.est_mtls_client_pfx_secret_name,
            values.iot_core_est_ca_cert_secret_name,
            values.iot_core_est_ca_key_secret_name,
        }
    )
    yield _allow(
        "KeepSecrets",
        [
            "secretsmanager:CreateSecret",
            "secretsmanager:DescribeSecret",
            "secretsmanager:GetSecretValue",
            "secretsmanager:PutSecretValue",
            "secretsmanager:TagResource",
        ],
        _secret_arns(deployment, names),
    )
    yield _allow(
        "EncryptSecrets",
        ["kms:Decrypt", "kms:GenerateDataKey"],
        deployment.arn("kms", "key/*"),
        _our_key(deployment),
    )


def _provisioning(deployment: Deployment) -> Iterator[Statement]:
    """Template, policy, CA registration and the outbox."""
    config = deployment.config
    if config.iot_provisioning == "none" and not config.deployment.configure_jitp:
        return
    values = config.properties
    template = deployment.arn("iot", f"provisioningtemplate/{values.iot_template_name}")
    policy = deployment.arn("iot", f"policy/{values.iot_policy_name}")
    authorities = deployment.arn("iot", "cacert/*")
    certificates = deployment.arn("iot", "cert/*")
    things = deployment.arn("iot", "thing/*")
    yield _allow(
        "KeepTemplate",
        [
            "iot:CreateProvisioningTemplate",
            "iot:CreateProvisioningTemplateVersion",
            "iot:DeleteProvisioningTemplateVersion",
            "iot:DescribeProvisioningTemplate",
            "iot:DescribeProvisioningTemplateVersion",
            "iot:ListProvisioningTemplateVersions",
            "iot:TagResource",
            "iot:UpdateProvisioningTemplate",
        ],
        template,
    )
    yield _allow(
        "KeepPolicy",
        [
            "iot:CreatePolicy",
            "iot:CreatePolicyVersion",
            "iot:DeletePolicyVersion",
            "iot:GetPolicy",
            "iot:GetPolicyVersion",
            "iot:ListPolicyVersions",
            "iot:SetDefaultPolicyVersion",
            "iot:TagResource",
        ],
        policy,
    )
    yield _allow(
        "RegisterInIoT",
        [
            "iot:GetRegistrationCode",
            "iot:ListCACertificates",
            "iot:ListCertificates",
            "iot:ListPrincipalThings",
            "iot:RegisterCACertificate",
            "iot:RegisterCertificate",
            "iot:RegisterCertificateWithoutCA",
        ],
        "*",
    )
    yield _allow(
        "KeepCAs",
        ["iot:DescribeCACertificate", "iot:TagResource", "iot:UpdateCACertificate"],
        authorities,
    )
    yield _allow("ListByCA", ["iot:ListCertificatesByCA"], "*")
    yield _allow(
        "KeepCertificates",
        [
            "iot:AttachPolicy",
            "iot:DescribeCertificate",
            "iot:DetachPolicy",
            "iot:ListAttachedPolicies",
            "iot:UpdateCertificate",
        ],
        certificates,
    )
    yield _allow(
        "KeepThings",
        ["iot:CreateThing", "iot:DescribeThing", "iot:ListThingPrincipals", "iot:UpdateThing"],
        things,
    )
    yield _allow(
        "AttachThings",
        ["iot:AttachThingPrincipal", "iot:DetachThingPrincipal"],
        [certificates, things],
    )
    yield _allow(
        "HandIoTItsRole",
        ["iam:GetRole", "iam:PassRole"],
        deployment.role_arn(values.iot_provisioning_role_name),
    )


def _truststore(deployment: Deployment) -> Iterator[Statement]:
    """`aws_truststore` in the admin's function; its object and the EST domain, nothing else."""
    bucket = f"arn:{deployment.partition}:s3:::{deployment.truststore_bucket}"
    yield _allow(
        "KeepTruststore",
        ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"],
        f"{bucket}/truststore.pem",
    )
    yield _allow("ListTruststore", ["s3:ListBucket", "s3:ListBucketVersions"], bucket)
    guarded = [domain.name for domain in deployment.domains if domain.is_mutual_tls]
    if guarded:
        yield _allow(
            "ActivateTruststore",
            ["apigateway:GET", "apigateway:PATCH"],
            [deployment.gateway_arn(f"/domainnames/{name}") for name in guarded],
        )
    yield _allow(
        "ReportMetrics",
        ["cloudwatch:PutMetricData"],
        "*",
        {"StringEquals": {"cloudwatch:namespace": METRIC_NAMESPACE}},
    )
