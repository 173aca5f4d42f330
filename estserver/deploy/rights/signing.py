"""The functions' rights to the CAs' keys, which are the sum of what the signers in use state."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from estserver.deploy.deployment import Deployment, StageName
from estserver.deploy.lambda_signers import SignerInUse, signers_in_use
from estserver.deploy.rights.keys_in_use import NO_KEYS, KeysInUse, region_of
from estserver.deploy.rights.statements import Statement, allow
from pki.choices import IoTProvisioning
from pki.signers.iam import OTHER_ACCOUNTS, IAMStatement, SigningFunction, read_secrets
from pki.signers.secretsmanager.signer import SecretsManagerSigner


def signing(deployment: Deployment, stage: StageName, keys: KeysInUse) -> Iterator[Statement]:
    """Yield what the stage's signers state, and the right to read the installation's secrets."""
    values = deployment.config.properties
    names = {values.custom_secret_name}
    if values.database_secret_name:
        names.add(values.database_secret_name)
    if stage == "admin":
        names.add(values.secret_key_secret_name)
        if values.smtp_password_secret_name:
            names.add(values.smtp_password_secret_name)
    stated = (s for s in _stated(deployment, stage, keys) if s.sid != OTHER_ACCOUNTS)
    own = read_secrets(_function(deployment, stage, keys), tuple(sorted(names)))
    yield from add_up([*stated, *own])


def other_accounts(deployment: Deployment, stage: StageName) -> Iterator[Statement]:
    """Yield the right to assume the roles of other accounts' registries and signers."""
    roles: list[str] = []
    if stage == "admin" or deployment.config.iot_provisioning == IoTProvisioning.REGISTER:
        targets = deployment.config.properties.iot_targets
        roles = [target.role_arn for target in targets if target.role_arn]
    registries = [IAMStatement(OTHER_ACCOUNTS, ("sts:AssumeRole",), (role,)) for role in roles]
    stated = (s for s in _stated(deployment, stage, NO_KEYS) if s.sid == OTHER_ACCOUNTS)
    yield from add_up([*stated, *registries])


def ca_secret_names(deployment: Deployment) -> list[str]:
    """Return the names of the secrets with CAs and the first client.

    Only the CAs of a signer of Secrets Manager are in secrets, and their first client.
    """
    return sorted({name for _, names, keys in _ca_secrets(deployment) for name in (*names, *keys)})


def _ca_secrets(
    deployment: Deployment,
) -> Iterator[tuple[SignerInUse, tuple[str, ...], tuple[str, ...]]]:
    """Yield each signer with its secrets, those with a CA's key last, which successors have too."""
    values = deployment.config.properties
    for used in signers_in_use(deployment.config):
        if not issubclass(used.signer, SecretsManagerSigner):
            continue
        names: tuple[str, ...] = ()
        keys: tuple[str, ...] = ()
        if "device" in used.purposes:
            names += (values.iot_core_est_ca_cert_secret_name,)
            keys += (values.iot_core_est_ca_key_secret_name,)
        if "client" in used.purposes:
            names += (values.est_mtls_client_secrets_name, values.est_mtls_client_pfx_secret_name)
            keys += (values.est_mtls_ca_secrets_name,)
        yield used, names, keys


def making_cas(deployment: Deployment, keys: KeysInUse) -> Iterator[Statement]:
    """Yield the right to put CAs and clients into secrets, which `bootstrap_cas` needs."""
    function = _function(deployment, "admin", keys)
    arns: set[str] = set()
    for used, names, with_key in _ca_secrets(deployment):
        there = replace(function, region=region_of(deployment, used) or deployment.region)
        arns.update(arn for name in (*names, *with_key) for arn in there.secret_arns(name))
        arns.update(arn for name in with_key for arn in there.successor_secret_arns(name))
    if not arns:
        return
    yield allow(
        "KeepSecrets",
        [
            "secretsmanager:CreateSecret",
            "secretsmanager:DescribeSecret",
            "secretsmanager:GetSecretValue",
            "secretsmanager:PutSecretValue",
            "secretsmanager:TagResource",
        ],
        sorted(arns),
    )
    if keys.secrets:
        yield allow(
            "EncryptSecrets",
            ["kms:Decrypt", "kms:GenerateDataKey"],
            list(keys.secrets),
            function.through_secrets_manager(),
        )


def secret_arns(deployment: Deployment, name: str) -> tuple[str, ...]:
    """Return what a policy names a secret of the deployment's region by."""
    return _function(deployment, "admin", NO_KEYS).secret_arns(name)


def through_secrets_manager(deployment: Deployment) -> Mapping[str, Mapping[str, Any]]:
    """Return the condition that a KMS key is used for a secret of the deployment's region."""
    return _function(deployment, "admin", NO_KEYS).through_secrets_manager()


def add_up(stated: Iterable[IAMStatement]) -> Iterator[Statement]:
    """Yield the statements of a policy, in which every Sid is unique.

    Statements that differ in nothing but their resources become one, in the place of the last. Of
    other statements with the same Sid, the second gets the number 2, and so on.
    """
    added: list[IAMStatement] = []
    for one in stated:
        statement = one
        alike = [each for each in added if replace(each, resources=one.resources) == one]
        for each in alike:
            added.remove(each)
            statement = replace(one, resources=_together(each.resources, one.resources))
        added.append(statement)
    uses: Counter[str] = Counter()
    for statement in added:
        uses[statement.sid] += 1
        number = uses[statement.sid]
        yield allow(
            statement.sid if number == 1 else f"{statement.sid}{number}",
            statement.actions,
            _as_json(statement.resources),
            statement.condition,
        )


def _together(some: str | tuple[str, ...], others: str | tuple[str, ...]) -> str | tuple[str, ...]:
    if some == others:
        return some
    lists = ((each,) if isinstance(each, str) else each for each in (some, others))
    return tuple(sorted({arn for arns in lists for arn in arns}))


def _as_json(resources: str | tuple[str, ...]) -> str | list[str]:
    return resources if isinstance(resources, str) else list(resources)


def _stated(deployment: Deployment, stage: StageName, keys: KeysInUse) -> Iterator[IAMStatement]:
    """Yield what the stage's signers state. Only the admin has client certificates signed."""
    function = _function(deployment, stage, keys)
    for used in signers_in_use(deployment.config):
        if stage == "admin" or "device" in used.purposes:
            its_function = replace(
                function,
                signing_keys=keys.signing(used.alias, region_of(deployment, used)),
            )
            if "device" not in used.purposes:
                its_function = replace(its_function, device_ca_secrets=(), device_key_secret="")
            yield from used.signer.iam_statements(used.options, its_function)


def _function(deployment: Deployment, stage: StageName, keys: KeysInUse) -> SigningFunction:
    values = deployment.config.properties
    return SigningFunction(
        partition=deployment.partition,
        account=deployment.account,
        region=deployment.region,
        manages_authorities=stage == "admin",
        device_ca_secrets=(
            values.iot_core_est_ca_cert_secret_name,
            values.iot_core_est_ca_key_secret_name,
        ),
        device_key_secret=values.iot_core_est_ca_key_secret_name,
        secret_keys=keys.secrets,
    )
