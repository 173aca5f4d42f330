"""The secrets that the CA and this tool made: never made here, taken away with everything else."""

from collections.abc import Mapping
from dataclasses import dataclass

from estserver.deploy.calls import Call, ask_if_any
from estserver.deploy.deployment import Deployment, tags_from
from estserver.deploy.steps import DONE, Plan, Step

RECOVERY_DAYS = 30
"""The longest that Secrets Manager waits; until then `restore-secret` brings a secret back."""


@dataclass(frozen=True)
class Secrets(Step[Mapping[str, bool]]):
    """Every secret that the configuration names."""

    deployment: Deployment
    severity = "WARN"
    name = "secrets"

    def look(self) -> Mapping[str, bool]:
        """The secrets that are there, and whether each is ours."""
        values = self.deployment.config.properties
        names = (
            values.est_mtls_ca_secrets_name,
            values.est_mtls_client_secrets_name,
            values.est_mtls_client_pfx_secret_name,
            values.iot_core_est_ca_cert_secret_name,
            values.iot_core_est_ca_key_secret_name,
        )
        seen = {}
        for name in dict.fromkeys(names):
            held = ask_if_any("secretsmanager", "DescribeSecret", SecretId=name)
            if held is not None and not held.get("DeletedDate"):
                seen[name] = self.deployment.is_ours(tags_from(held.get("Tags", [])))
        return seen

    def plan(self, seen: Mapping[str, bool]) -> Plan:
        """Nothing: `bootstrap_cas` makes them."""
        return DONE

    def undo(self, seen: Mapping[str, bool]) -> Plan:
        """Delete ours; Secrets Manager keeps them for a month more."""
        return Plan(
            tuple(
                Call(
                    "secretsmanager",
                    "DeleteSecret",
                    f"the secret {name} was made by bootstrap_cas; it can be restored for "
                    f"{RECOVERY_DAYS} days",
                    {"SecretId": name, "RecoveryWindowInDays": RECOVERY_DAYS},
                )
                for name, is_ours in seen.items()
                if is_ours
            )
        )
