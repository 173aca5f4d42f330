"""X-Ray's traces, through API Gateway and a function, if ``tracing`` asks for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from estserver.deploy.deployment import STAGES, Deployment, StageName
from estserver.deploy.engine.calls import Call, ask
from estserver.deploy.engine.steps import Plan, Step
from estserver.deploy.rights.statements import ResourceRights, allow
from estserver.deploy.zappa.stage import look_at_stage, not_deployed

ACTIVE, PASSIVE = "Active", "PassThrough"


@dataclass(frozen=True, slots=True)
class SeenTracing:
    """What is traced at a stage."""

    api_id: str
    function: Mapping[str, Any]
    is_api_traced: bool


@dataclass(frozen=True)
class Tracing(Step[SeenTracing]):
    """Whether API Gateway and the function of a stage send traces.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-enabling-xray.html
    https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html
    """

    deployment: Deployment
    stage: StageName
    severity = "WARN"

    @property
    def name(self) -> str:
        """The step's name, as plans and messages show it."""
        return f"{self.stage}: tracing"

    def look(self) -> SeenTracing:
        """Read the function's mode and the API stage's."""
        seen = look_at_stage(self.deployment, self.stage)
        if not seen.is_deployed:
            raise not_deployed(self.stage)
        held = ask("apigateway", "GetStage", restApiId=seen.api_id, stageName=self.stage)
        return SeenTracing(seen.api_id, seen.function, bool(held.get("tracingEnabled")))

    def plan(self, seen: SeenTracing) -> Plan:
        """Switch both on or off."""
        is_wanted = self.deployment.config.deployment.tracing
        mode = ACTIVE if is_wanted else PASSIVE
        calls = []
        if (seen.function.get("TracingConfig") or {}).get("Mode", PASSIVE) != mode:
            if seen.function.get("LastUpdateStatus") == "InProgress":
                return Plan(waiting="Lambda is updating the function")
            parameters: dict[str, Any] = {
                "FunctionName": self.deployment.function(self.stage),
                "TracingConfig": {"Mode": mode},
            }
            reason = f"tracing is {str(is_wanted).lower()}, and the function does otherwise"
            calls.append(Call("lambda", "UpdateFunctionConfiguration", reason, parameters))
        if seen.is_api_traced != is_wanted:
            change = {"op": "replace", "path": "/tracingEnabled", "value": str(is_wanted).lower()}
            reason = f"tracing is {str(is_wanted).lower()}, and the API does otherwise"
            parameters = {
                "restApiId": seen.api_id,
                "stageName": self.stage,
                "patchOperations": [change],
            }
            calls.append(Call("apigateway", "UpdateStage", reason, parameters))
        return Plan(tuple(calls))


def rights(deployment: Deployment) -> ResourceRights:
    """Return the functions' right to send traces, for which IAM knows no narrower resource.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html
    """
    if not deployment.config.deployment.tracing:
        return ResourceRights()
    send = allow("SendTraces", ["xray:PutTelemetryRecords", "xray:PutTraceSegments"], "*")
    return ResourceRights(functions={stage: [send] for stage in STAGES})
