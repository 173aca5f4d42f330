"""The role of a function, whose policy names the keys in KMS that are there."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields

from estserver.config.function_policies import KEY, wildcards
from estserver.deploy.resources.roles.role import Role, SeenRole
from estserver.deploy.rights.functions import added_by_configuration
from estserver.deploy.rights.key_lookup import find_keys
from estserver.deploy.rights.keys_in_use import NO_KEYS, KeysInUse
from estserver.deploy.rights.statements import Document
from pki.operators.errors import OperatorError


@dataclass(frozen=True, slots=True)
class SeenFunctionRole(SeenRole):
    """A role as IAM holds it, and the keys as KMS holds them."""

    keys: KeysInUse = NO_KEYS


@dataclass(frozen=True)
class FunctionRole(Role):
    """A function's role. A key that is made later gets into its policy at the next deployment."""

    policy_for: Callable[[KeysInUse], Document] = field(kw_only=True)

    def look(self) -> SeenFunctionRole:
        """Read the role with its policies, and which keys there are."""
        seen = super().look()
        values = {each.name: getattr(seen, each.name) for each in fields(seen)}
        return SeenFunctionRole(**values, keys=find_keys(self.deployment))

    def reason_of_policy(self) -> str:
        """Return why the policy is set, and what the configuration adds to it with wildcards."""
        added = added_by_configuration(self.deployment, self.stage) if self.stage else []
        reasons = [super().reason_of_policy()]
        if added:
            sids = ", ".join(each["Sid"] for each in added)
            reasons.append(f"{KEY} adds {sids} to it")
        reasons += [f"review this wildcard: {each}" for each in wildcards(added)]
        return "; ".join(reasons)

    def desired_policy(self, seen: SeenRole) -> Document:
        """Return the policy, with the keys' ARNs.

        Raises ``OperatorError`` for a key that the configuration names and KMS does not have.
        """
        keys = seen.keys if isinstance(seen, SeenFunctionRole) else NO_KEYS
        if keys.missing:
            raise OperatorError(" ".join(keys.missing))
        return self.policy_for(keys)
