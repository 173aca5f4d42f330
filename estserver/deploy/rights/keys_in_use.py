"""The keys in KMS that the functions use, as a deployment finds them.

Policies name keys by ARN. A right that followed a tag or an alias would be as wide as the right to
set tags and aliases (threat T55).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from estserver.deploy.deployment import Deployment
from estserver.deploy.lambda_signers import SignerInUse
from estserver.deploy.rights.database_stack import DatabaseStack
from estserver.deploy.rights.dsql_cluster import DSQLCluster


@dataclass(frozen=True, slots=True)
class CAKey:
    """A key for a CA, which this installation made."""

    alias: str
    arn: str
    region: str
    purpose: str
    """``device`` or ``client``; "" if the alias does not say it."""
    key_spec: str = ""
    state: str = "Enabled"


@dataclass(frozen=True, slots=True)
class KeysInUse:
    """What a deployment knows of the keys in KMS. Empty, as before the first deployment."""

    ca_keys: tuple[CAKey, ...] = ()
    named: Mapping[str, str] = field(default_factory=dict)
    """The ARN of the key that the OPTIONS of a signer name, by the signer's alias."""
    secrets: tuple[str, ...] = ()
    """ARNs of the keys that secrets are encrypted with."""
    database_stack: DatabaseStack | None = None
    """The stack with the database, if the configuration names one."""
    cluster: DSQLCluster | None = None
    """The cluster of Aurora DSQL that the deployment made, once there is one."""
    missing: tuple[str, ...] = ()
    """Sentences about what the configuration names and AWS does not have: a key, a stack."""

    def signing(self, signer: str, region: str) -> tuple[str, ...]:
        """Return the ARNs of the keys that the CAs of a signer have or will have.

        They are device CAs' and client CAs', because the function est signs the CRLs of both.
        """
        named = [self.named[signer]] if signer in self.named else []
        made = [key.arn for key in self.ca_keys if key.region == region]
        return tuple(dict.fromkeys([*named, *made]))


NO_KEYS = KeysInUse()


def region_of(deployment: Deployment, used: SignerInUse) -> str:
    """Return the region of the signer's OPTIONS; "" for the deployment's own."""
    region = str(used.options.get("region") or "")
    return "" if region == deployment.region else region
