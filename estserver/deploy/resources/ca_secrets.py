"""The secrets, which the functions make and a removal takes away, and what takes that back."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from estserver.deploy.deployment import Deployment
from estserver.deploy.engine.calls import Call, ask_all, ask_if_any
from estserver.deploy.engine.steps import DONE, Plan, Step
from estserver.deploy.lambda_signers import signers_in_use
from estserver.deploy.rights.keys_in_use import region_of
from estserver.deploy.rights.statements import ResourceRights, allow, our_tag
from pki.aws.ownership import MADE_BY, tags_of
from pki.signers.secretsmanager.signer import SecretsManagerSigner

RECOVERY_DAYS = 30
"""The longest that Secrets Manager waits. Until then `aws_deploy --restore` takes it back."""


@dataclass(frozen=True, slots=True)
class SeenSecret:
    """A secret that carries the installation's tag."""

    name: str
    region: str = ""
    is_deleted: bool = False
    """Whether its deletion is scheduled."""


def tagged_secrets(deployment: Deployment) -> Iterator[SeenSecret]:
    """Yield every secret that carries the installation's tag, each once.

    They are found by the tag, because a successor's secret has a name that only the record knows
    (``estIotCoreCaSecretKey4/device-ca-2-0123abcd``). That list may lack what was made in the last
    minutes, and so the secrets of known names are looked at one by one.
    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html
    """
    seen = set()
    for region in _regions(deployment):
        for held in (*_listed(region), *_named(deployment, region)):
            name = str(held["Name"])
            if (name, region) in seen or not deployment.is_ours(tags_of(held.get("Tags", []))):
                continue
            seen.add((name, region))
            yield SeenSecret(name, region, bool(held.get("DeletedDate")))


def _regions(deployment: Deployment) -> list[str]:
    """Return the regions of the signers' secrets in this account, the deployment's as ""."""
    others = {
        region_of(deployment, used)
        for used in signers_in_use(deployment.config)
        if issubclass(used.signer, SecretsManagerSigner) and not used.options.get("roleArn")
    }
    return ["", *sorted(others - {""})]


def _listed(region: str) -> list[Mapping[str, Any]]:
    return ask_all(
        "secretsmanager",
        "ListSecrets",
        "SecretList",
        region=region,
        IncludePlannedDeletion=True,
        Filters=[{"Key": "tag-key", "Values": [MADE_BY]}],
    )


def _named(deployment: Deployment, region: str) -> Iterator[Mapping[str, Any]]:
    values = deployment.config.properties
    names = (
        values.est_mtls_ca_secrets_name,
        values.est_mtls_client_secrets_name,
        values.est_mtls_client_pfx_secret_name,
        values.iot_core_est_ca_cert_secret_name,
        values.iot_core_est_ca_key_secret_name,
        values.secret_key_secret_name,
    )
    for name in dict.fromkeys(names):
        held = ask_if_any("secretsmanager", "DescribeSecret", region=region, SecretId=name)
        if held is not None:
            yield held


@dataclass(frozen=True)
class Secrets(Step[tuple[SeenSecret, ...]]):
    """Every secret that carries the installation's tag, for `aws_destroy`."""

    deployment: Deployment
    severity = "WARN"
    name = "secrets"

    def look(self) -> tuple[SeenSecret, ...]:
        """Read which secrets there are."""
        return tuple(each for each in tagged_secrets(self.deployment) if not each.is_deleted)

    def plan(self, seen: tuple[SeenSecret, ...]) -> Plan:
        """Return nothing, because `bootstrap_cas` and `ca_successor` make them."""
        return DONE

    def undo(self, seen: tuple[SeenSecret, ...]) -> Plan:
        """Delete them. They can be restored for ``RECOVERY_DAYS``."""
        return Plan(
            tuple(
                Call(
                    "secretsmanager",
                    "DeleteSecret",
                    f"the secret {each.name} was made for this installation; it can be restored "
                    f"for {RECOVERY_DAYS} days",
                    {"SecretId": each.name, "RecoveryWindowInDays": RECOVERY_DAYS},
                    region=each.region,
                )
                for each in seen
            )
        )


@dataclass(frozen=True)
class RestoredSecrets(Step[tuple[SeenSecret, ...]]):
    """The installation's secrets after a removal: their deletion is cancelled."""

    deployment: Deployment
    name = "secrets of a removed installation"

    def look(self) -> tuple[SeenSecret, ...]:
        """Read which secrets are scheduled for deletion."""
        return tuple(each for each in tagged_secrets(self.deployment) if each.is_deleted)

    def plan(self, seen: tuple[SeenSecret, ...]) -> Plan:
        """Restore them."""
        return Plan(
            tuple(
                Call(
                    "secretsmanager",
                    "RestoreSecret",
                    f"the secret {each.name} is about to be deleted",
                    {"SecretId": each.name},
                    region=each.region,
                )
                for each in seen
            )
        )


def rights(deployment: Deployment) -> ResourceRights:
    """Return the rights to remove what carries the installation's tag, and to take that back.

    Any secret is looked at, though not its value, to find out whether it does.
    """
    secrets = f"arn:{deployment.partition}:secretsmanager:*:{deployment.account}:secret:*"
    tagged = our_tag(deployment, "aws:ResourceTag")
    return ResourceRights(
        look=["secretsmanager:ListSecrets"],
        deploy=[allow("RestoreSecrets", ["secretsmanager:RestoreSecret"], secrets, tagged)],
        remove=[
            allow("LookAtSecrets", ["secretsmanager:DescribeSecret"], "*"),
            allow("RemoveSecrets", ["secretsmanager:DeleteSecret"], secrets, tagged),
        ],
    )
