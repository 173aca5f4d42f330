"""The secrets and the CAs' keys in KMS, which the functions make and a removal takes away."""

from collections.abc import Mapping
from dataclasses import dataclass

from estserver.deploy.deployment import KEY_DELETION_DAYS, Deployment, tags_from
from estserver.deploy.engine.calls import Call, ask, ask_all, ask_if_any
from estserver.deploy.engine.steps import DONE, Plan, Step
from estserver.deploy.rights.statements import ResourceRights, allow, our_tag
from pki.signers.kms.signer import ALIAS_PREFIX

RECOVERY_DAYS = 30
"""The longest that Secrets Manager waits. Until then `restore-secret` brings a secret back."""


@dataclass(frozen=True)
class Secrets(Step[Mapping[str, bool]]):
    """Every secret that the configuration names."""

    deployment: Deployment
    severity = "WARN"
    name = "secrets"

    def look(self) -> Mapping[str, bool]:
        """Read which secrets exist, and whether each carries the installation's tag."""
        values = self.deployment.config.properties
        names = (
            values.est_mtls_ca_secrets_name,
            values.est_mtls_client_secrets_name,
            values.est_mtls_client_pfx_secret_name,
            values.iot_core_est_ca_cert_secret_name,
            values.iot_core_est_ca_key_secret_name,
            values.secret_key_secret_name,
        )
        seen = {}
        for name in dict.fromkeys(names):
            held = ask_if_any("secretsmanager", "DescribeSecret", SecretId=name)
            if held is not None and not held.get("DeletedDate"):
                seen[name] = self.deployment.is_ours(tags_from(held.get("Tags", [])))
        return seen

    def plan(self, seen: Mapping[str, bool]) -> Plan:
        """Return nothing, because `bootstrap_cas` makes them."""
        return DONE

    def undo(self, seen: Mapping[str, bool]) -> Plan:
        """Delete the tagged ones, which can be restored for ``RECOVERY_DAYS``."""
        return Plan(
            tuple(
                Call(
                    "secretsmanager",
                    "DeleteSecret",
                    f"the secret {name} was made for this installation; it can be restored for "
                    f"{RECOVERY_DAYS} days",
                    {"SecretId": name, "RecoveryWindowInDays": RECOVERY_DAYS},
                )
                for name, is_ours in seen.items()
                if is_ours
            )
        )


@dataclass(frozen=True)
class CAKeys(Step[Mapping[str, str]]):
    """The CAs' keys in KMS that `bootstrap_cas` made and tagged."""

    deployment: Deployment
    severity = "WARN"
    name = "CA keys in KMS"

    def look(self) -> Mapping[str, str]:
        """Read alias and id of each tagged key whose deletion is not scheduled."""
        aliases = {
            str(each["AliasName"]): str(each["TargetKeyId"])
            for each in ask_all("kms", "ListAliases", "Aliases")
            if each["AliasName"].startswith(ALIAS_PREFIX) and each.get("TargetKeyId")
        }
        return {alias: key_id for alias, key_id in aliases.items() if self._is_ours(key_id)}

    def _is_ours(self, key_id: str) -> bool:
        state = ask("kms", "DescribeKey", KeyId=key_id)["KeyMetadata"].get("KeyState")
        tags = ask_all("kms", "ListResourceTags", "Tags", KeyId=key_id)
        named = {tag["TagKey"]: tag["TagValue"] for tag in tags}
        return state != "PendingDeletion" and self.deployment.is_ours(named)

    def plan(self, seen: Mapping[str, str]) -> Plan:
        """Return nothing, because `bootstrap_cas` makes them."""
        return DONE

    def undo(self, seen: Mapping[str, str]) -> Plan:
        """Schedule their deletion. KMS deletes the aliases with the keys."""
        return Plan(
            tuple(
                Call(
                    "kms",
                    "ScheduleKeyDeletion",
                    f"the CA key {alias} was made by bootstrap_cas; its deletion can be cancelled "
                    f"for {KEY_DELETION_DAYS} days",
                    {"KeyId": key_id, "PendingWindowInDays": KEY_DELETION_DAYS},
                )
                for alias, key_id in seen.items()
            )
        )


def rights(deployment: Deployment) -> ResourceRights:
    """Return the rights to remove what carries the installation's tag.

    Any key or secret is looked at, to find out whether it does.
    """
    looking = ["kms:DescribeKey", "kms:ListResourceTags", "secretsmanager:DescribeSecret"]
    secrets = deployment.arn("secretsmanager", "secret:*")
    tagged = our_tag(deployment, "aws:ResourceTag")
    return ResourceRights(
        look=["kms:ListAliases"],
        remove=[
            allow("LookAtSecrets", looking, "*"),
            allow(
                "RemoveSecrets", ["kms:ScheduleKeyDeletion"], deployment.arn("kms", "key/*"), tagged
            ),
            allow("RemoveSecrets", ["secretsmanager:DeleteSecret"], secrets, tagged),
        ],
    )
