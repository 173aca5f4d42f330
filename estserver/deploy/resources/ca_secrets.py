"""The secrets, which the functions make and a removal takes away."""

from collections.abc import Mapping
from dataclasses import dataclass

from estserver.deploy.deployment import Deployment, tags_from
from estserver.deploy.engine.calls import Call, ask_if_any
from estserver.deploy.engine.steps import DONE, Plan, Step
from estserver.deploy.rights.statements import ResourceRights, allow, our_tag

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


def rights(deployment: Deployment) -> ResourceRights:
    """Return the rights to remove what carries the installation's tag.

    Any secret is looked at, to find out whether it does.
    """
    secrets = deployment.arn("secretsmanager", "secret:*")
    tagged = our_tag(deployment, "aws:ResourceTag")
    return ResourceRights(
        remove=[
            allow("LookAtSecrets", ["secretsmanager:DescribeSecret"], "*"),
            allow("RemoveSecrets", ["secretsmanager:DeleteSecret"], secrets, tagged),
        ],
    )
