"""The time that API Gateway waits for the function."""

from dataclasses import dataclass

from estserver.deploy.deployment import Deployment, StageName
from estserver.deploy.engine.calls import Call
from estserver.deploy.engine.steps import Plan, Step
from estserver.deploy.front_door.api_settings import SeenApi, deploy_call, look_at_api


@dataclass(frozen=True)
class IntegrationTimeout(Step[SeenApi]):
    """The timeout of each method: ``apiGatewayIntegrationTimeoutSeconds``.

    The step comes after the lockdown, whose deployment it repeats with other timeouts. So a number
    that AWS refuses leaves no endpoint open.
    """

    deployment: Deployment
    stage: StageName
    severity = "WARN"
    advice = {
        "BadRequestException": 'For more than 29 s, have the quota "Maximum integration timeout in '
        'milliseconds" of API Gateway raised in Service Quotas, where AWS may take it from the '
        "account's throttling quota. Or lower apiGatewayIntegrationTimeoutSeconds.",
    }

    @property
    def name(self) -> str:
        """The step's name, as plans and messages show it."""
        return f"{self.stage}: integration timeout"

    def look(self) -> SeenApi:
        """Read the methods' timeouts, and those that are deployed."""
        return look_at_api(self.deployment, self.stage)

    def plan(self, seen: SeenApi) -> Plan:
        """Change those that differ, then deploy them."""
        wanted = self.deployment.config.properties.api_gateway_integration_timeout_seconds * 1000
        calls = [
            Call(
                "apigateway",
                "UpdateIntegration",
                f"{each.method} {each.path} waits {each.timeout} ms, wanted {wanted}",
                {
                    "restApiId": seen.api_id,
                    "resourceId": each.resource_id,
                    "httpMethod": each.method,
                    "patchOperations": [
                        {"op": "replace", "path": "/timeoutInMillis", "value": str(wanted)}
                    ],
                },
            )
            for each in seen.integrations
            if each.timeout != wanted
        ]
        # A deployment that this tool did not make is replaced by the lockdown's step, with the
        # timeouts of that moment.
        if calls or (seen.deployed_lockdown and seen.deployed_timeouts != str(wanted)):
            calls.append(
                deploy_call(
                    seen.api_id, self.stage, lockdown=seen.deployed_lockdown, timeouts=str(wanted)
                )
            )
        return Plan(tuple(calls))
