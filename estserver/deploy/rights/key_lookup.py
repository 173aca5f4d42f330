"""Find the keys in KMS that the functions use: the CAs', and those that secrets are encrypted with.

A key is this installation's when it carries the installation's tag. A CA's key must also have the
description that it was made with, because a tag can be set on a key of somebody else (threat T55).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from estserver.deploy.deployment import Deployment
from estserver.deploy.engine.calls import ask, ask_all, ask_if_any
from estserver.deploy.lambda_signers import SignerInUse, signers_in_use
from estserver.deploy.rights.database_stack import find_stack
from estserver.deploy.rights.dsql_cluster import cluster_in_use
from estserver.deploy.rights.keys_in_use import CAKey, KeysInUse, region_of
from pki.operators.errors import OperatorError, RemoteFailure
from pki.signers.kms import KMSSigner
from pki.signers.kms.made_keys import ALIAS_PREFIX, alias_in, description_of
from pki.signers.secretsmanager.signer import SecretsManagerSigner

T = TypeVar("T")

_PURPOSES = ("device", "client")
DELETED = "PendingDeletion"
"""The state of a key whose deletion is scheduled."""


@dataclass(frozen=True, slots=True)
class SeenKey:
    """A key that carries the installation's tag."""

    alias: str
    """An alias of ``ALIAS_PREFIX``; where keys are listed by their tag, any alias or ""."""
    key_id: str
    region: str
    key_spec: str
    state: str
    has_our_description: bool
    usage: str
    made_at: float
    """Seconds since 1970."""

    @classmethod
    def described(cls, metadata: Mapping[str, Any], alias: str, region: str) -> "SeenKey":
        """Return a key as KMS describes it."""
        return cls(
            alias,
            str(metadata["KeyId"]),
            region,
            str(metadata.get("KeySpec", "")),
            str(metadata["KeyState"]),
            metadata.get("Description") == description_of(alias),
            str(metadata.get("KeyUsage") or "ENCRYPT_DECRYPT"),  # the default of CreateKey
            metadata["CreationDate"].timestamp(),
        )


def has_keys_in_kms(used: SignerInUse) -> bool:
    """Return whether the keys of the signer's CAs are in KMS and in this account."""
    return issubclass(used.signer, KMSSigner) and not used.options.get("roleArn")


def makes_keys_in_kms(used: SignerInUse) -> bool:
    """Return whether a deployment makes the keys of the signer's CAs."""
    return has_keys_in_kms(used) and not used.options.get("key")


def names_key_of_secrets(deployment: Deployment, used: SignerInUse) -> bool:
    """Return whether the signer's secrets, in this account, have another key than the deployment's.

    The OPTIONS name that key.
    """
    is_here = issubclass(used.signer, SecretsManagerSigner) and not used.options.get("roleArn")
    key = str(used.options.get("kmsKeyId") or "")
    return is_here and bool(key) and key != deployment.key_alias


def key_regions(deployment: Deployment) -> list[str]:
    """Return the regions of keys for CAs, the deployment's own as "" and first."""
    others = {
        region_of(deployment, used)
        for used in signers_in_use(deployment.config)
        if has_keys_in_kms(used)
    }
    return ["", *sorted(others - {""})]


def tagged_keys(deployment: Deployment, region: str) -> Iterator[SeenKey]:
    """Yield the keys for CAs that carry the installation's tag, and that no one is deleting."""
    for alias, key_id in _aliases(region).items():
        if not alias.startswith(ALIAS_PREFIX):
            continue
        if not _is_ours(deployment, key_id, region):
            continue
        metadata = ask("kms", "DescribeKey", region=region, KeyId=key_id)["KeyMetadata"]
        if metadata["KeyState"] != DELETED:
            yield SeenKey.described(metadata, alias, region)


def every_tagged_key(deployment: Deployment, region: str) -> Iterator[SeenKey]:
    """Yield all keys that carry the installation's tag, with or without an alias, in any state.

    A removal, and what takes it back, look at keys that no signer of the configuration uses any
    more, too. A key whose policy lets the caller not look at it is none of this installation.
    """
    aliases = {key_id: alias for alias, key_id in _aliases(region).items()}
    for listed in ask_all("kms", "ListKeys", "Keys", region=region):
        key_id = str(listed["KeyId"])
        try:
            metadata = ask("kms", "DescribeKey", region=region, KeyId=key_id)["KeyMetadata"]
            if metadata.get("KeyManager") == "AWS" or not _is_ours(deployment, key_id, region):
                continue
        except RemoteFailure as error:
            if error.code == "AccessDeniedException":
                continue
            raise
        yield SeenKey.described(metadata, aliases.get(key_id, ""), region)


def _is_ours(deployment: Deployment, key_id: str, region: str) -> bool:
    tags = ask_all("kms", "ListResourceTags", "Tags", region=region, KeyId=key_id)
    return deployment.is_ours({tag["TagKey"]: tag["TagValue"] for tag in tags})


def ca_keys(deployment: Deployment, region: str) -> tuple[CAKey, ...]:
    """Return the keys for CAs that this installation made in a region ("": the deployment's)."""
    return tuple(
        CAKey(
            key.alias,
            _arn(deployment, region, key.key_id),
            region,
            _purpose(deployment, key.alias),
            key.key_spec,
            key.state,
        )
        for key in tagged_keys(deployment, region)
        if key.has_our_description
    )


def find_keys(deployment: Deployment) -> KeysInUse:
    """Return the keys that the functions use, as KMS knows them now. Raises ``RemoteFailure``."""
    in_use = list(signers_in_use(deployment.config))
    named: dict[str, str] = {}
    missing: list[str] = []
    # Step 1: the keys that the OPTIONS of signers name, and those that this installation made.
    for used in in_use:
        key = str(used.options.get("key") or "")
        if has_keys_in_kms(used) and key:
            named[used.alias] = _found(deployment, key, region_of(deployment, used), missing)
    regions = key_regions(deployment) if any(has_keys_in_kms(used) for used in in_use) else []
    made = [key for region in regions for key in ca_keys(deployment, region)]
    # Step 2: the keys of secrets: the deployment's own, and those that signers name.
    own = ask_if_any("kms", "DescribeKey", KeyId=deployment.key_alias)
    secrets = [str(own["KeyMetadata"]["Arn"])] if own else []
    for used in in_use:
        if names_key_of_secrets(deployment, used):
            key = str(used.options["kmsKeyId"])
            secrets.append(_found(deployment, key, region_of(deployment, used), missing))
    return KeysInUse(
        tuple(made),
        {alias: arn for alias, arn in named.items() if arn},
        tuple(dict.fromkeys(filter(None, secrets))),
        _found_or_missing(find_stack, deployment, missing),
        _found_or_missing(cluster_in_use, deployment, missing),
        tuple(missing),
    )


def _found_or_missing(
    find: Callable[[Deployment], T | None], deployment: Deployment, missing: list[str]
) -> T | None:
    """Return the database that ``find`` finds; ``None`` for none, or with a text in ``missing``.

    A removal goes on without the database. Only what would write a policy raises.
    """
    try:
        return find(deployment)
    except RemoteFailure:
        raise
    except OperatorError as error:
        missing.append(str(error))
        return None


def _found(deployment: Deployment, key: str, region: str, missing: list[str]) -> str:
    """Return the ARN of a key that is named by its ARN, alias or id; "" adds to ``missing``.

    Raises ``OperatorError`` for a key of another project of this account (threat T60).
    """
    arn = _arn_of(deployment, key, region, missing)
    account = arn.split(":")[4] if arn else ""
    if account == deployment.account:
        # A key has 50 tags at most, which is one page.
        listed = ask_if_any("kms", "ListResourceTags", region=region, KeyId=arn) or {}
        deployment.refuse_of_another(
            f"The key in KMS {key}",
            {tag["TagKey"]: tag["TagValue"] for tag in listed.get("Tags", [])},
            "Name another key in Properties.signers.",
        )
    return arn


def _arn_of(deployment: Deployment, key: str, region: str, missing: list[str]) -> str:
    if key.startswith("arn:") and ":alias/" not in key:
        return key
    alias = key[key.index("alias/") :] if "alias/" in key else ""
    if not alias:
        return _arn(deployment, region, key)
    key_id = _aliases(region).get(alias)
    if key_id is None:
        where = region or deployment.region
        missing.append(
            f"There is no key {alias} in KMS in {where}, which Properties.signers names. Make the "
            "key, or correct its name."
        )
        return ""
    return _arn(deployment, region, key_id)


def _aliases(region: str) -> dict[str, str]:
    """Return the ids of keys by their aliases. AWS's own aliases may have no key yet."""
    listed = ask_all("kms", "ListAliases", "Aliases", region=region)
    return {
        str(each["AliasName"]): str(each["TargetKeyId"])
        for each in listed
        if each.get("TargetKeyId")
    }


def _arn(deployment: Deployment, region: str, key_id: str) -> str:
    where = region or deployment.region
    return f"arn:{deployment.partition}:kms:{where}:{deployment.account}:key/{key_id}"


def _purpose(deployment: Deployment, alias: str) -> str:
    """Return the purpose that an alias tells; functions of earlier versions named no project."""
    for purpose in _PURPOSES:
        made = alias_in(deployment.project, f"{purpose}/")
        if alias.startswith((made, f"{ALIAS_PREFIX}{purpose}-ca")):
            return purpose
    return ""
