"""Read and remove what Zappa makes: a function, a CloudFormation stack with the API, schedules.

Only Zappa makes them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from estserver.deploy.deployment import LIVE, STAGES, Deployment, StageName
from estserver.deploy.engine.calls import Call, ask, ask_all, ask_if_any
from estserver.deploy.engine.steps import DONE, Blocked, Plan, Step
from estserver.deploy.rights.database_stack import is_in_vpc
from estserver.deploy.rights.gateway import control_plane
from estserver.deploy.rights.statements import ResourceRights, allow
from pki.operators.errors import OperatorError, RemoteFailure

_NO_STACK = "ValidationError"
_BROKEN = re.compile(r"ROLLBACK|FAILED")
_MENDED = "UPDATE_ROLLBACK_COMPLETE"
"""An update failed and was rolled back, so the stack works as before the update."""


@dataclass(frozen=True, slots=True)
class SeenStage:
    """What there is of a stage."""

    stack: str = ""
    """CloudFormation's status; "" when there is no stack."""
    api_id: str = ""
    has_stage: bool = False
    function: Mapping[str, Any] = field(default_factory=dict)
    """Its configuration; empty when there is no function."""

    @property
    def is_deployed(self) -> bool:
        """Whether the function and the API's stage exist, which the other steps need."""
        return bool(self.api_id and self.has_stage and self.function)


def look_at_stage(deployment: Deployment, stage: StageName) -> SeenStage:
    """Read what there is of a stage. Raises ``RemoteFailure``."""
    name = deployment.function(stage)
    function = _function(deployment, stage)
    try:
        stacks = ask("cloudformation", "DescribeStacks", StackName=name)["Stacks"]
    except RemoteFailure as error:
        if error.code != _NO_STACK:
            raise
        return SeenStage(function=function)
    if not stacks:
        return SeenStage(function=function)
    resources = ask_all(
        "cloudformation", "ListStackResources", "StackResourceSummaries", StackName=name
    )
    api_id = next(
        (
            str(each.get("PhysicalResourceId") or "")
            for each in resources
            if each["ResourceType"] == "AWS::ApiGateway::RestApi"
        ),
        "",
    )
    is_live = api_id and ask_if_any("apigateway", "GetStage", restApiId=api_id, stageName=stage)
    return SeenStage(stacks[0]["StackStatus"], api_id, bool(is_live), function)


def _function(deployment: Deployment, stage: StageName) -> Mapping[str, Any]:
    name = deployment.function(stage)
    return ask_if_any("lambda", "GetFunctionConfiguration", FunctionName=name) or {}


def look_at_function(deployment: Deployment, stage: StageName) -> Mapping[str, Any]:
    """Read a function's configuration, for a step that needs no API.

    Raises ``Blocked`` before Zappa has made the function, and ``RemoteFailure``.
    """
    function = _function(deployment, stage)
    if not function:
        raise not_deployed(stage)
    return function


def not_deployed(stage: StageName) -> Blocked:
    """Return the refusal of a step whose stage is not deployed."""
    return Blocked(f"The stage {stage} is not deployed. Run zappa deploy {stage}.")


def api_id_of(deployment: Deployment, stage: StageName) -> str:
    """Return the id of the API that Zappa made. Raises ``Blocked`` before that."""
    seen = look_at_stage(deployment, stage)
    if not seen.is_deployed:
        raise not_deployed(stage)
    return seen.api_id


@dataclass(frozen=True)
class ZappaStage(Step[SeenStage]):
    """Function, API and schedules of a stage, checked before other steps build on them."""

    deployment: Deployment
    stage: StageName

    @property
    def name(self) -> str:
        """The step's name, as plans and messages show it."""
        return f"{self.stage}: function and API"

    def look(self) -> SeenStage:
        """Read what there is of the stage."""
        return look_at_stage(self.deployment, self.stage)

    def plan(self, seen: SeenStage) -> Plan:
        """Return no calls, because Zappa makes all of it.

        Raises ``Blocked`` before Zappa has, and ``OperatorError`` when that failed halfway.
        """
        if not seen.stack and not seen.function:
            raise not_deployed(self.stage)
        if seen.stack.endswith("IN_PROGRESS"):
            return Plan(waiting=f"CloudFormation is at work ({seen.stack})")
        name = self.deployment.function(self.stage)
        if _BROKEN.search(seen.stack) and seen.stack != _MENDED:
            raise OperatorError(
                f"The stack {name} is in {seen.stack}. Look at its events in the CloudFormation "
                f"console, run zappa undeploy {self.stage}, then zappa deploy {self.stage}."
            )
        if not seen.is_deployed:
            raise OperatorError(
                f"Only a part of {name} exists. Run zappa undeploy {self.stage}, then zappa deploy "
                f"{self.stage}."
            )
        notes = []
        state = seen.function.get("State", "Active")
        if state != "Active":
            reason = str(seen.function.get("StateReason", "")).rstrip(".")
            notes.append(f"The function {name} is {state}: {reason}.")
        if seen.function.get("Role") != self.deployment.role_arn(self.deployment.role(self.stage)):
            notes.append(
                f"The function {name} runs with another role than the deployment's. Run zappa "
                f"update {self.stage}."
            )
        return Plan(notes=tuple(notes))

    def undo(self, seen: SeenStage) -> Plan:
        """Remove schedules, stack and function, as `zappa undeploy` would."""
        if seen.stack.endswith("DELETE_IN_PROGRESS"):
            return Plan(waiting="CloudFormation is deleting the API")
        name = self.deployment.function(self.stage)
        calls: list[Call] = []
        if seen.function:
            calls += self._schedules(str(seen.function["FunctionArn"]))
        if seen.stack and seen.stack != "DELETE_COMPLETE":
            reason = f"the stack {name}, with its API, was made by zappa deploy"
            calls.append(Call("cloudformation", "DeleteStack", reason, {"StackName": name}))
        if seen.function:
            reason = f"the function {name} was made by zappa deploy"
            calls.append(Call("lambda", "DeleteFunction", reason, {"FunctionName": name}))
        return Plan(tuple(calls)) if calls else DONE

    def _schedules(self, function_arn: str) -> list[Call]:
        calls = []
        for rule in rules_of(function_arn):
            targets = ask_all("events", "ListTargetsByRule", "Targets", Rule=rule)
            ids = [target["Id"] for target in targets]
            reason = f"the schedule {rule} was made by zappa deploy"
            calls.append(
                Call("events", "RemoveTargets", f"{reason}: its target", {"Rule": rule, "Ids": ids})
            )
            calls.append(Call("events", "DeleteRule", reason, {"Name": rule}))
        return calls


def rules_of(function_arn: str) -> list[str]:
    """Return the names of the rules that call a function or its version in service."""
    names = {
        name
        for arn in (function_arn, f"{function_arn}:{LIVE}")
        for name in ask_all("events", "ListRuleNamesByTarget", "RuleNames", TargetArn=arn)
    }
    return sorted(names)


def rights(deployment: Deployment) -> ResourceRights:
    """Return the rights that Zappa takes; the admin's function is asked to run commands, too."""
    names = [deployment.function(stage) for stage in STAGES]
    functions = [deployment.arn("lambda", f"function:{name}") for name in names]
    stacks = [deployment.arn("cloudformation", f"stack/{name}/*") for name in names]
    network = ["ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"]
    has_network = is_in_vpc(deployment)
    return ResourceRights(
        look=["events:ListRuleNamesByTarget", *(network if has_network else [])],
        deploy=[
            allow(
                "Functions",
                [
                    "lambda:AddPermission",
                    "lambda:CreateAlias",
                    "lambda:CreateFunction",
                    "lambda:DeleteFunctionConcurrency",
                    "lambda:GetAlias",
                    "lambda:GetFunction",
                    "lambda:GetFunctionConfiguration",
                    "lambda:GetPolicy",
                    "lambda:InvokeFunction",
                    "lambda:ListFunctionUrlConfigs",
                    "lambda:ListTags",
                    "lambda:ListVersionsByFunction",
                    "lambda:PublishVersion",
                    "lambda:PutFunctionConcurrency",
                    "lambda:RemovePermission",
                    "lambda:TagResource",
                    "lambda:UpdateAlias",
                    "lambda:UpdateFunctionCode",
                    "lambda:UpdateFunctionConfiguration",
                ],
                [*functions, *(f"{function}:*" for function in functions)],
            ),
            # A version that is not in service any more. The function itself is not among them.
            allow(
                "OldVersions",
                ["lambda:DeleteFunction"],
                [f"{function}:*" for function in functions],
            ),
            allow(
                "Stacks",
                [
                    "cloudformation:CreateStack",
                    # Of a stack that could not be made.
                    "cloudformation:DeleteStack",
                    "cloudformation:DescribeStackResource",
                    "cloudformation:DescribeStacks",
                    "cloudformation:ListStackResources",
                    "cloudformation:TagResource",
                    "cloudformation:UpdateStack",
                ],
                stacks,
            ),
            allow(
                "Schedules",
                [
                    "events:DeleteRule",
                    "events:DescribeRule",
                    "events:ListTargetsByRule",
                    "events:PutRule",
                    "events:PutTargets",
                    "events:RemoveTargets",
                ],
                deployment.arn("events", f"rule/{deployment.project}-*"),
            ),
            control_plane(deployment, "/restapis*", "/tags/*"),
        ],
        remove=[
            allow(
                "RemoveFunctions",
                ["cloudformation:DeleteStack", "lambda:DeleteFunction"],
                [*stacks, *functions],
            )
        ],
    )
