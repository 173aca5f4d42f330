"""The role with which API Gateway writes logs for the whole account: one setting an account."""

from dataclasses import dataclass

from estserver.deploy.deployment import Deployment
from estserver.deploy.engine.calls import Call, ask
from estserver.deploy.engine.steps import DONE, Plan, Step
from estserver.deploy.rights.gateway import control_plane
from estserver.deploy.rights.gateway_logs import others_that_log
from estserver.deploy.rights.statements import ResourceRights, allow


@dataclass(frozen=True)
class GatewayAccount(Step[str]):
    """The account's one setting for API Gateway's logs. A role that is set already stays."""

    deployment: Deployment
    name = "API Gateway's log role"

    @property
    def _wanted(self) -> str:
        return self.deployment.role_arn(self.deployment.gateway_log_role)

    def look(self) -> str:
        """Read the ARN of the role that is set; "" for none."""
        return str(ask("apigateway", "GetAccount").get("cloudwatchRoleArn") or "")

    def plan(self, seen: str) -> Plan:
        """Set the deployment's role where none is set."""
        return DONE if seen else Plan((self._set(self._wanted, "the account has none"),))

    def undo(self, seen: str) -> Plan:
        """Take the deployment's role out again, unless other APIs of the account log with it."""
        if seen != self._wanted or others_that_log(self.deployment):
            return DONE
        return Plan((self._set("", "it is the role that aws_deploy made"),))

    def _set(self, arn: str, reason: str) -> Call:
        operation = {"op": "replace", "path": "/cloudwatchRoleArn", "value": arn}
        return Call("apigateway", "UpdateAccount", reason, {"patchOperations": [operation]})


def rights(deployment: Deployment) -> ResourceRights:
    """Return the rights to the account's settings of API Gateway.

    A removal looks at all APIs, to see whether others log with the role.
    """
    apis = [deployment.gateway_arn(path) for path in ("/apis", "/apis/*/stages")]
    return ResourceRights(
        deploy=[control_plane(deployment, "/account")],
        remove=[allow("LookAtOtherAPIs", ["apigateway:GET"], apis)],
    )
