"""The default endpoint, the networks that may call, and how many requests get through."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from estserver.config.admin_exposure import exposures
from estserver.config.connections import connection_problem, known_limit
from estserver.deploy.deployment import Deployment, StageName
from estserver.deploy.engine.calls import Call, ask
from estserver.deploy.engine.compare import policy_from, same_policy
from estserver.deploy.engine.steps import Plan, Step
from estserver.deploy.front_door.api_settings import SeenApi, deploy_call, look_at_api
from estserver.deploy.rights.statements import ResourceRights, allow
from estserver.deploy.zappa.stage import api_id_of

NETWORKS_STATEMENT = "OnlyFromTheseNetworks"


@dataclass(frozen=True)
class Lockdown(Step[SeenApi]):
    """The API answers on its domain only, and the admin's answers some networks only.

    These settings take effect when the API is deployed after them: see `api_settings`.
    """

    deployment: Deployment
    stage: StageName

    @property
    def name(self) -> str:
        """The step's name, as plans and messages show it."""
        return f"{self.stage}: lockdown"

    def look(self) -> SeenApi:
        """Read the API's settings and the stage's deployment."""
        return look_at_api(self.deployment, self.stage)

    def plan(self, seen: SeenApi) -> Plan:
        """Change the settings, then deploy them."""
        changes = []
        reasons = []
        is_disabled = self._is_endpoint_disabled()
        if seen.is_endpoint_disabled != is_disabled:
            changes.append(
                {
                    "op": "replace",
                    "path": "/disableExecuteApiEndpoint",
                    "value": str(is_disabled),
                }
            )
            reasons.append(
                "the default endpoint is open" if is_disabled else "the default endpoint is closed"
            )
        wanted = self._policy(seen.api_id)
        if not same_policy(seen.policy, wanted) and (wanted or _is_ours(seen.policy)):
            value = json.dumps(wanted) if wanted else ""
            changes.append({"op": "replace", "path": "/policy", "value": value})
            reasons.append("the policy differs from adminAllowedNetworks")
        calls = []
        if changes:
            reason = " and ".join(reasons)
            parameters = {"restApiId": seen.api_id, "patchOperations": changes}
            calls.append(Call("apigateway", "UpdateRestApi", reason, parameters))
        digest = self._digest(seen.api_id)
        if changes or seen.deployed_lockdown != digest:
            calls.append(
                deploy_call(seen.api_id, self.stage, lockdown=digest, timeouts=seen.timeouts)
            )
        return Plan(tuple(calls), notes=self._notes())

    def _notes(self) -> tuple[str, ...]:
        """Return what the configuration leaves open. No call can mend it."""
        if self.stage != "admin":
            return ()
        values = self.deployment.config.properties
        found = exposures(values.admin_allowed_networks, values.admin_second_factor)
        return tuple(f"{each.finding} {each.advice}" for each in found)

    def _is_endpoint_disabled(self) -> bool:
        # The device side has mutual TLS on its domain only. Without a domain of its own, the admin
        # has no other way in.
        return self.stage == "est" or bool(self.deployment.domains_of("admin"))

    def _policy(self, api_id: str) -> dict[str, Any] | None:
        networks = self.deployment.config.properties.admin_allowed_networks
        if self.stage != "admin" or not networks:
            return None
        call = {
            "Principal": "*",
            "Action": "execute-api:Invoke",
            "Resource": self.deployment.arn("execute-api", f"{api_id}/*"),
        }
        elsewhere = {"NotIpAddress": {"aws:SourceIp": list(networks)}}
        return {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", **call},
                {"Sid": NETWORKS_STATEMENT, "Effect": "Deny", **call, "Condition": elsewhere},
            ],
        }

    def _digest(self, api_id: str) -> str:
        settings = json.dumps([self._is_endpoint_disabled(), self._policy(api_id)], sort_keys=True)
        return hashlib.sha256(settings.encode()).hexdigest()[:16]


def _is_ours(policy: str) -> bool:
    statements = (policy_from(policy) or {}).get("Statement", [])
    listed = statements if isinstance(statements, list) else [statements]
    return any(statement.get("Sid") == NETWORKS_STATEMENT for statement in listed)


@dataclass(frozen=True)
class Throttling(Step[tuple[str, Mapping[str, Any]]]):
    """The limits of requests to a stage: rate and burst."""

    deployment: Deployment
    stage: StageName

    @property
    def name(self) -> str:
        """The step's name, as plans and messages show it."""
        return f"{self.stage}: throttling"

    def look(self) -> tuple[str, Mapping[str, Any]]:
        """Read the API's id, and the settings for all its methods."""
        api_id = api_id_of(self.deployment, self.stage)
        stage = ask("apigateway", "GetStage", restApiId=api_id, stageName=self.stage)
        return api_id, (stage.get("methodSettings") or {}).get("*/*", {})

    def plan(self, seen: tuple[str, Mapping[str, Any]]) -> Plan:
        """Set rate and burst, and note a burst that the database does not take."""
        api_id, held = seen
        config = self.deployment.config
        problem = connection_problem(config, known_limit(config))
        notes = (problem,) if problem else ()
        options = self.deployment.config.deployment
        wanted = {
            "rateLimit": ("throttlingRateLimit", options.throttling_rate_limit),
            "burstLimit": ("throttlingBurstLimit", options.throttling_burst_limit),
        }
        changes = [
            {"op": "replace", "path": f"/*/*/throttling/{path}", "value": str(value)}
            for path, (key, value) in wanted.items()
            if held.get(key) != value
        ]
        if not changes:
            return Plan(notes=notes)
        parameters = {"restApiId": api_id, "stageName": self.stage, "patchOperations": changes}
        reason = "its limits differ" if held else "it has no limits but the account's"
        return Plan((Call("apigateway", "UpdateStage", reason, parameters),), notes=notes)


def rights(deployment: Deployment) -> ResourceRights:
    """Return the right to set and to remove an API's policy, which PATCH alone does not give.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonapigatewaymanagement.html
    """
    apis = deployment.gateway_arn("/restapis/*")
    return ResourceRights(deploy=[allow("Networks", ["apigateway:UpdateRestApiPolicy"], apis)])
