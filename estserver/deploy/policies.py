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
    """The device CA's key: in KMS, in Secrets Manager, or at AWS Private CA."""
    values = deployment.config.properties
    signers = deployment.config.signer_settings()
    aliases = [values.device_ca_signer] + ([values.client_ca_signer] if stage == "admin" else [])
    used = [signers[alias] for alias in dict.fromkeys(aliases) if alias in signers]
    backends = [str(signer["BACKEND"]) for signer in used]
    options = [signer["OPTIONS"] for signer in used]

    if any(".kms." in backend for backend in backends):
        actions = ["kms:GetPublicKey", "kms:Sign"]
        yield from _by_arn_or_tag(deployment, "SignWithKMS", actions, "kms", "key/*", options)
    if any(".privateca." in backend for backend in backends):
        actions = [
            "acm-pca:DescribeCertificateAuthority",
            "acm-pca:GetCertificate",
            "acm-pca:GetCertificateAuthorityCertificate",
            "acm-pca:IssueCertificate",
        ]
        if stage == "admin":
            actions.append("acm-pca:RevokeCertificate")
        yield from _by_arn_or_tag(
            deployment,
            "SignWithPrivateCA",
            actions,
            "acm-pca",
            "certificate-authority/*",
            options,
        )
    names = {values.custom_secret_name}
    if any(backend.startswith(SIGNING_SECRETS) for backend in backends):
        names |= {
            values.iot_core_est_ca_cert_secret_name,
            values.iot_core_est_ca_key_secret_name,
        }
    yield from _reading_secrets(deployment, "ReadSecrets", sorted(names))


def _by_arn_or_tag(
    deployment: Deployment,
    sid: str,
    actions: list[str],
    service: str,
    resource: str,
    options: Iterable[Mapping[str, Any]],
) -> Iterator[Statement]:
    """What the signers' options name by ARN, and what carries our tag because we made it."""
    named = sorted(
        value
        for option in options
        for value in option.values()
        if isinstance(value, str) and value.startswith("arn:") and f":{service}:" in value
    )
    if named:
        yield _allow(f"{sid}ByName", actions, named)
    else:
        ours = {"StringEquals": {f"aws:ResourceTag/{MADE_BY}": deployment.project}}
        yield _allow(sid, actions, deployment.arn(service, resource), ours)


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
    yield from _other_accounts(deployment)


def _other_accounts(deployment: Deployment) -> Iterator[Statement]:
    roles = sorted({t.role_arn for t in deployment.config.properties.iot_targets if t.role_arn})
    if roles:
        yield _allow("ReachOtherAccounts", ["sts:AssumeRole"], roles)


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
    yield from _other_accounts(deployment)


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
