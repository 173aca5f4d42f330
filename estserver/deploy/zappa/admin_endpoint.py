"""The host name at which the admin answers while it has no domain of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from estserver.deploy.deployment import Deployment
from estserver.deploy.engine.calls import Call
from estserver.deploy.engine.steps import Plan, Step
from estserver.deploy.zappa.stage import look_at_stage, not_deployed


@dataclass(frozen=True)
class AdminEndpoint(Step[tuple[Mapping[str, Any], str]]):
    """The variable that tells the admin's function its host name.

    Without a domain of its own, the admin answers at its API's default endpoint. Django answers
    requests for known host names only (ALLOWED_HOSTS).
    """

    deployment: Deployment
    name = "admin: default endpoint"
    VARIABLE = "EST_ADMIN_ENDPOINT"

    def look(self) -> tuple[Mapping[str, Any], str]:
        """Read the function's configuration, and return it with the endpoint's host name."""
        seen = look_at_stage(self.deployment, "admin")
        if not seen.is_deployed:
            raise not_deployed("admin")
        suffix = "amazonaws.com.cn" if self.deployment.partition == "aws-cn" else "amazonaws.com"
        host = f"{seen.api_id}.execute-api.{self.deployment.region}.{suffix}"
        return seen.function, host

    def plan(self, seen: tuple[Mapping[str, Any], str]) -> Plan:
        """Set or remove the variable, and note where people find the admin."""
        function, host = seen
        if function.get("LastUpdateStatus") == "InProgress":
            return Plan(waiting="Lambda is updating the function")
        known = function.get("Environment", {}).get("Variables", {})
        has_domain = bool(self.deployment.domains_of("admin"))
        wanted = dict(known)
        if has_domain:
            wanted.pop(self.VARIABLE, None)
        else:
            wanted[self.VARIABLE] = host
        notes = (
            ()
            if has_domain
            else (f"adminDomainName is not set, so the admin is at https://{host}/admin/.",)
        )
        if known == wanted:
            return Plan(notes=notes)
        call = Call(
            "lambda",
            "UpdateFunctionConfiguration",
            "the function does not know its host name",
            {
                "FunctionName": self.deployment.function("admin"),
                "Environment": {"Variables": wanted},
            },
            secret=frozenset({"Environment"}),
        )
        return Plan((call,), notes=notes)
