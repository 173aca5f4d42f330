"""The share of the account's concurrent executions that is set aside for the device side."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from estserver.deploy.deployment import Deployment, StageName
from estserver.deploy.engine.calls import Call, ask
from estserver.deploy.engine.steps import DONE, Plan, Step
from estserver.deploy.rights.statements import ResourceRights, allow
from estserver.deploy.zappa.stage import look_at_function


@dataclass(frozen=True)
class ReservedConcurrency(Step[int]):
    """The reservation for the function est. `zappa update` takes it away, and this sets it again.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
    """

    deployment: Deployment
    severity = "WARN"
    name = "est: reserved concurrency"
    advice: ClassVar[Mapping[str, str]] = {
        "InvalidParameterValueException": "Lambda leaves a part of the account's concurrent "
        "executions unreserved, and a new account has few. Lower "
        "DeploymentOptions.reservedConcurrency or take it out, or ask Service Quotas for more of "
        "Lambda's quota Concurrent executions.",
    }

    def look(self) -> int:
        """Read how many are reserved; 0 for none. Raises ``Blocked`` before Zappa has deployed."""
        look_at_function(self.deployment, "est")
        name = self.deployment.function("est")
        answer = ask("lambda", "GetFunctionConcurrency", FunctionName=name)
        return int(answer.get("ReservedConcurrentExecutions") or 0)

    def plan(self, seen: int) -> Plan:
        """Reserve as many as the configuration says. One that a person made is noted."""
        wanted = self.deployment.config.deployment.reserved_concurrency
        if seen == wanted:
            return DONE
        name = self.deployment.function("est")
        if not wanted:
            note = (
                f"The function {name} has {seen} reserved concurrent executions, which the next "
                "deployment takes away. Put DeploymentOptions.reservedConcurrency into the "
                "configuration to keep them."
            )
            return Plan(notes=(note,))
        reason = f"{seen or 'none'} of the account's concurrent executions are reserved for it"
        parameters = {"FunctionName": name, "ReservedConcurrentExecutions": wanted}
        return Plan((Call("lambda", "PutFunctionConcurrency", reason, parameters),))


def reservations(deployment: Deployment, stage: StageName) -> list[ReservedConcurrency]:
    """Return the step of a stage, which only the device side has."""
    return [ReservedConcurrency(deployment)] if stage == "est" else []


def rights(deployment: Deployment) -> ResourceRights:
    """Return the right to read the reservation; Zappa's rights are those to make one."""
    function = deployment.arn("lambda", f"function:{deployment.function('est')}")
    return ResourceRights(
        deploy=[allow("ReadConcurrency", ["lambda:GetFunctionConcurrency"], function)]
    )
