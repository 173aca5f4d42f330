"""The stage that a domain leads to."""

from collections.abc import Mapping
from dataclasses import dataclass

from estserver.deploy.deployment import Deployment, Domain
from estserver.deploy.engine.calls import Call, ask_all
from estserver.deploy.engine.steps import DONE, Plan, Step
from estserver.deploy.front_door.domain import is_managed, look_at_domain, no_domain
from estserver.deploy.zappa.stage import api_id_of

ROOT = "(none)"
"""What API Gateway calls the empty base path."""


@dataclass(frozen=True, slots=True)
class SeenMapping:
    """The APIs and stages that a domain leads to."""

    api_id: str
    """The API that it should lead to."""
    is_managed: bool
    by_path: Mapping[str, tuple[str, str]]
    """API and stage of each base path."""


@dataclass(frozen=True)
class RootMapping(Step[SeenMapping]):
    """The mapping of the domain's root to the stage, because EST's paths are absolute.

    RFC 7030, section 3.2.2.
    """

    deployment: Deployment
    domain: Domain

    @property
    def name(self) -> str:
        """The step's name, as plans and messages show it."""
        return f"{self.domain.stage}: mapping of {self.domain.name}"

    def look(self) -> SeenMapping:
        """Read the domain's mappings."""
        api_id = api_id_of(self.deployment, self.domain.stage)
        held = look_at_domain(self.domain.name)
        if not held:
            raise no_domain(self.domain.name)
        found = ask_all("apigateway", "GetBasePathMappings", "items", domainName=self.domain.name)
        by_path = {
            each.get("basePath") or ROOT: (each["restApiId"], each.get("stage", ""))
            for each in found
        }
        return SeenMapping(api_id, is_managed(self.deployment, held), by_path)

    def plan(self, seen: SeenMapping) -> Plan:
        """Map the root, and note which other paths are mapped."""
        others = sorted(path for path in seen.by_path if path != ROOT)
        notes = tuple(
            f"{self.domain.name}/{path} leads elsewhere. Delete that mapping if it is not wanted."
            for path in others
        )
        wanted = (seen.api_id, self.domain.stage)
        mapped = seen.by_path.get(ROOT)
        if mapped == wanted:
            return Plan(notes=notes)
        named = {"domainName": self.domain.name}
        if mapped is None:
            parameters = {**named, "restApiId": wanted[0], "stage": wanted[1]}
            reason = f"{self.domain.name} leads nowhere"
            call = Call("apigateway", "CreateBasePathMapping", reason, parameters)
        else:
            changes = [
                {"op": "replace", "path": "/restapiId", "value": wanted[0]},
                {"op": "replace", "path": "/stage", "value": wanted[1]},
            ]
            reason = f"{self.domain.name} leads to another API ({mapped[0]}, {mapped[1]})"
            call = Call(
                "apigateway",
                "UpdateBasePathMapping",
                reason,
                {**named, "basePath": ROOT, "patchOperations": changes},
            )
        return Plan((call,), notes=notes)

    def undo(self, seen: SeenMapping) -> Plan:
        """Unmap the root where it leads to the stage, because AWS deletes no API with a mapping."""
        if not seen.is_managed or seen.by_path.get(ROOT) != (seen.api_id, self.domain.stage):
            return DONE
        parameters = {"domainName": self.domain.name, "basePath": ROOT}
        reason = f"{self.domain.name} leads to the stage {self.domain.stage}"
        return Plan((Call("apigateway", "DeleteBasePathMapping", reason, parameters),))
