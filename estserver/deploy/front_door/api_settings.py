"""Settings of a REST API that take effect only when the API is deployed after them.

AWS does not answer which settings a deployment holds. So the description of each deployment that
this tool makes says it: a digest of the lockdown, and how long API Gateway waits. A stage that
runs another deployment is deployed again.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from estserver.deploy.deployment import Deployment, StageName
from estserver.deploy.engine.calls import Call, ask, ask_all
from estserver.deploy.zappa.stage import api_id_of

DEFAULT_TIMEOUT = 29_000
"""Milliseconds that API Gateway waits by default."""

_DESCRIPTION = re.compile(r"aws_deploy (?P<lockdown>\w+) waits (?P<timeouts>\S*) ms")


@dataclass(frozen=True, slots=True)
class Integration:
    """What API Gateway calls for a method; Zappa makes the function the target of each."""

    resource_id: str
    method: str
    path: str
    timeout: int
    """Milliseconds."""
    uri: str = ""
    """Whom it calls."""


@dataclass(frozen=True, slots=True)
class SeenApi:
    """An API's own settings, and what its stage was last deployed with."""

    api_id: str
    is_endpoint_disabled: bool
    policy: str
    integrations: tuple[Integration, ...]
    deployed_lockdown: str
    """The digest that the stage's deployment names; "" when this tool did not make it."""
    deployed_timeouts: str

    @property
    def timeouts(self) -> str:
        """The integrations' timeouts in milliseconds, each once, as descriptions name them."""
        return _listed(each.timeout for each in self.integrations)


def look_at_api(deployment: Deployment, stage: StageName) -> SeenApi:
    """Read the API's settings and the stage's deployment.

    Raises ``Blocked`` and ``RemoteFailure``.
    """
    api_id = api_id_of(deployment, stage)
    api = ask("apigateway", "GetRestApi", restApiId=api_id)
    resources = ask_all("apigateway", "GetResources", "items", restApiId=api_id, embed=["methods"])
    live = ask("apigateway", "GetStage", restApiId=api_id, stageName=stage)
    deployed = ask(
        "apigateway", "GetDeployment", restApiId=api_id, deploymentId=live["deploymentId"]
    )
    said = _DESCRIPTION.fullmatch(str(deployed.get("description") or ""))
    return SeenApi(
        api_id,
        bool(api.get("disableExecuteApiEndpoint")),
        str(api.get("policy") or ""),
        tuple(
            Integration(resource["id"], method, resource["path"], _timeout_of(held), _uri_of(held))
            for resource in resources
            for method, held in sorted((resource.get("resourceMethods") or {}).items())
            if held.get("methodIntegration")
        ),
        said["lockdown"] if said else "",
        said["timeouts"] if said else "",
    )


def _timeout_of(method: dict[str, Any]) -> int:
    return int(method["methodIntegration"].get("timeoutInMillis") or DEFAULT_TIMEOUT)


def _uri_of(method: dict[str, Any]) -> str:
    return str(method["methodIntegration"].get("uri") or "")


def deploy_call(api_id: str, stage: StageName, *, lockdown: str, timeouts: str) -> Call:
    """Return the call after which the API's settings take effect."""
    return Call(
        "apigateway",
        "CreateDeployment",
        "settings take effect when the API is deployed",
        {
            "restApiId": api_id,
            "stageName": stage,
            "description": f"aws_deploy {lockdown} waits {timeouts} ms",
        },
    )


def _listed(timeouts: Iterable[int]) -> str:
    return ",".join(map(str, sorted({*timeouts})))
