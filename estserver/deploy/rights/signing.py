"""Rights to the CAs' keys: in KMS, in Secrets Manager, at AWS Private CA, in other accounts."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from estserver.config import MADE_BY
from estserver.deploy.deployment import Deployment, StageName
from estserver.deploy.rights.statements import Statement, allow, our_tag
from pki.choices import IoTProvisioning

SIGNING_SECRETS = "pki.signers.secretsmanager."
CA_KEY_ALIASES = "alias/est/"
"""What the names of CA keys in KMS begin with."""


def signing(deployment: Deployment, stage: StageName) -> Iterator[Statement]:
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
    if values.database_secret_name:
        names.add(values.database_secret_name)
    if stage == "admin":
        names.add(values.secret_key_secret_name)
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
        yield allow(f"{sid}ByName", actions, arns)
    if aliases:
        by_alias = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": aliases}}
        yield allow(f"{sid}ByAlias", actions, anything, by_alias)
    if not arns and not aliases:
        yield allow(sid, actions, anything, our_tag(deployment, "aws:ResourceTag"))


def _making_keys(deployment: Deployment) -> Iterator[Statement]:
    """`bootstrap_cas` with the KMS signer: keys that carry our tag from their first moment."""
    keys = f"arn:{deployment.partition}:kms:*:{deployment.account}:key/*"
    aliases = f"arn:{deployment.partition}:kms:*:{deployment.account}:{CA_KEY_ALIASES}*"
    making = ["kms:CreateKey", "kms:TagResource"]
    yield allow("MakeKeys", making, "*", our_tag(deployment, "aws:RequestTag"))
    yield allow("NameKeys", ["kms:CreateAlias"], aliases)
    ours = our_tag(deployment, "aws:ResourceTag")
    yield allow("NameOurKeys", ["kms:CreateAlias"], keys, ours)


def _secret_arns(deployment: Deployment, names: Iterable[str]) -> list[str]:
    # Secrets Manager adds a hyphen and six characters to a name.
    return [
        name
        if name.startswith("arn:")
        else deployment.arn("secretsmanager", f"secret:{name}-??????")
        for name in names
    ]


def _reading_secrets(deployment: Deployment, sid: str, names: list[str]) -> Iterator[Statement]:
    yield allow(
        sid,
        ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"],
        _secret_arns(deployment, names),
    )
    yield allow(
        f"{sid}Decrypted", ["kms:Decrypt"], deployment.arn("kms", "key/*"), _our_key(deployment)
    )


def _our_key(deployment: Deployment) -> dict[str, dict[str, Any]]:
    return {
        "StringEquals": {
            "kms:ViaService": f"secretsmanager.{deployment.region}.amazonaws.com",
            f"aws:ResourceTag/{MADE_BY}": deployment.project,
        }
    }


def other_accounts(deployment: Deployment, stage: StageName) -> Iterator[Statement]:
    """Registries and signers of other accounts, through the roles that the configuration names."""
    roles = {str(signer["OPTIONS"].get("roleArn", "")) for signer in _signers(deployment, stage)}
    if stage == "admin" or deployment.config.iot_provisioning == IoTProvisioning.REGISTER:
        roles |= {target.role_arn for target in deployment.config.properties.iot_targets}
    if roles := roles - {""}:
        yield allow("ReachOtherAccounts", ["sts:AssumeRole"], sorted(roles))


def making_cas(deployment: Deployment) -> Iterator[Statement]:
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
    yield allow(
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
    yield allow(
        "EncryptSecrets",
        ["kms:Decrypt", "kms:GenerateDataKey"],
        deployment.arn("kms", "key/*"),
        _our_key(deployment),
    )
