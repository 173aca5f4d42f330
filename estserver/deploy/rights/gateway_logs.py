"""Find who else logs through API Gateway's role, of which a region of an account has one.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
"""

from collections.abc import Iterator, Mapping
from typing import Any

from estserver.deploy.deployment import STAGES, Deployment
from estserver.deploy.engine.calls import ask, ask_all


def others_that_log(deployment: Deployment) -> tuple[str, ...]:
    """Return the names of the APIs that log through the deployment's role and are not its own.

    The tuple is empty when the account has another role. Raises ``RemoteFailure``.
    """
    role = deployment.role_arn(deployment.gateway_log_role)
    if ask("apigateway", "GetAccount").get("cloudwatchRoleArn") != role:
        return ()
    own = {deployment.function(stage) for stage in STAGES}
    return tuple(sorted(name for name in _apis_that_log() if name not in own))


def _apis_that_log() -> Iterator[str]:
    """Yield the names of REST and WebSocket APIs with a stage that logs.

    HTTP APIs log without this role.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging.html
    """
    for api in ask_all("apigateway", "GetRestApis", "items"):
        stages = ask("apigateway", "GetStages", restApiId=api["id"]).get("item", [])
        if any(_rest_stage_logs(stage) for stage in stages):
            yield str(api["name"])
    for api in ask_all("apigatewayv2", "GetApis", "Items"):
        if api.get("ProtocolType") == "WEBSOCKET":
            stages = ask_all("apigatewayv2", "GetStages", "Items", ApiId=api["ApiId"])
            if any(_websocket_stage_logs(stage) for stage in stages):
                yield str(api["Name"])


def _rest_stage_logs(stage: Mapping[str, Any]) -> bool:
    levels = {each.get("loggingLevel") for each in (stage.get("methodSettings") or {}).values()}
    return bool((stage.get("accessLogSettings") or {}).get("destinationArn")) or _is_on(levels)


def _websocket_stage_logs(stage: Mapping[str, Any]) -> bool:
    routes = (*(stage.get("RouteSettings") or {}).values(), stage.get("DefaultRouteSettings") or {})
    levels = {each.get("LoggingLevel") for each in routes}
    return bool((stage.get("AccessLogSettings") or {}).get("DestinationArn")) or _is_on(levels)


def _is_on(levels: set[Any]) -> bool:
    return not levels <= {None, "", "OFF"}
