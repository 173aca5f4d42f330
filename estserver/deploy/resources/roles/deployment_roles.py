"""Which roles a deployment has, and the rights to them."""

from collections.abc import Callable
from dataclasses import dataclass

from estserver.deploy.deployment import STAGES, Deployment, StageName
from estserver.deploy.engine.steps import DONE, Plan
from estserver.deploy.resources.roles.function_role import FunctionRole
from estserver.deploy.resources.roles.role import Role, SeenRole
from estserver.deploy.rights.functions import FUNCTION_TRUST, GATEWAY_LOG_TRUST, gateway_log_policy
from estserver.deploy.rights.gateway_logs import others_that_log
from estserver.deploy.rights.keys_in_use import KeysInUse
from estserver.deploy.rights.statements import Document, ResourceRights, Statement, allow
from iotprov.documents import role as iot_role


def function_role(
    deployment: Deployment, stage: StageName, policy_for: Callable[[KeysInUse], Document]
) -> FunctionRole:
    """Return the role that a stage's function runs with; ``policy_for`` says what it may do."""
    side = "devices" if stage == "est" else "people"
    return FunctionRole(
        deployment,
        deployment.role(stage),
        f"EST server: the function for {side}",
        FUNCTION_TRUST,
        None,
        stage=stage,
        policy_for=policy_for,
    )


@dataclass(frozen=True)
class GatewayLogRole(Role):
    """API Gateway's role for logs, which a region of the account has one of."""

    def undo(self, seen: SeenRole) -> Plan:
        """Delete the role, unless other APIs of the account log with it."""
        return DONE if others_that_log(self.deployment) else super().undo(seen)


def gateway_log_role(deployment: Deployment) -> GatewayLogRole:
    """Return the role that API Gateway writes to CloudWatch with."""
    return GatewayLogRole(
        deployment,
        deployment.gateway_log_role,
        "API Gateway writes access logs",
        GATEWAY_LOG_TRUST,
        gateway_log_policy(),
    )


@dataclass(frozen=True)
class ProvisioningRole(Role):
    """AWS IoT's role. An existing one, as the CDK sample makes it, is used as it is."""

    def plan(self, seen: SeenRole) -> Plan:
        """Make the role, or set what differs in one that this tool made.

        `sync_template` warns of flaws in another one. Raises ``OperatorError`` for one of another
        project.
        """
        self.refuse_of_another(seen)
        if seen.arn and not self.deployment.is_ours(seen.tags):
            return DONE
        return super().plan(seen)


def provisioning_role(deployment: Deployment) -> ProvisioningRole:
    """Return the role that AWS IoT provisions devices with.

    `sync_template` could make it, but runs in the admin's function, which may make no roles.
    """
    return ProvisioningRole(
        deployment,
        deployment.config.properties.iot_provisioning_role_name,
        iot_role.DESCRIPTION,
        iot_role.trust_policy(deployment.account),
        None,
        managed_policy=iot_role.registration_policy_arn(deployment.partition),
    )


def rights(deployment: Deployment) -> ResourceRights:
    """Return the rights to the roles, and to hand each to the service that takes it."""
    names = [*(deployment.role(stage) for stage in STAGES), deployment.gateway_log_role]
    arns = [deployment.role_arn(name) for name in names]
    iot_arn = deployment.role_arn(deployment.config.properties.iot_provisioning_role_name)
    services = ["apigateway.amazonaws.com", "lambda.amazonaws.com"]
    return ResourceRights(
        deploy=[
            allow(
                "Roles",
                [
                    "iam:CreateRole",
                    "iam:DeleteRolePolicy",
                    "iam:DetachRolePolicy",
                    "iam:GetRole",
                    "iam:GetRolePolicy",
                    "iam:ListAttachedRolePolicies",
                    "iam:ListRolePolicies",
                    "iam:ListRoleTags",
                    "iam:PutRolePolicy",
                    "iam:TagRole",
                    "iam:UpdateAssumeRolePolicy",
                ],
                [*arns, iot_arn],
            ),
            *_attaching(deployment, iot_arn),
            allow(
                "HandOutRoles",
                ["iam:PassRole"],
                arns,
                {"StringEquals": {"iam:PassedToService": services}},
            ),
        ],
        remove=[allow("RemoveRoles", ["iam:DeleteRole"], [*arns, iot_arn])],
    )


def _attaching(deployment: Deployment, iot_arn: str) -> list[Statement]:
    """Attaching a policy to AWS IoT's role: one of AWS's policies, and no other."""
    if not deployment.has_provisioning_role:
        return []
    policy_arn = iot_role.registration_policy_arn(deployment.partition)
    only_that = {"ArnEquals": {"iam:PolicyARN": policy_arn}}
    return [allow("LetIoTRegister", ["iam:AttachRolePolicy"], iot_arn, only_that)]
