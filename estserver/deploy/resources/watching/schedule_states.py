"""The rules that run the schedules: Zappa makes them, and the functions pause the minutely one."""

from collections.abc import Mapping
from dataclasses import dataclass

from estserver.config.rule_names import HOURLY, MINUTELY, rule_name
from estserver.deploy.deployment import Deployment
from estserver.deploy.engine.calls import Call, ask_if_any
from estserver.deploy.engine.steps import Plan, Step
from estserver.deploy.rights.statements import ResourceRights, allow
from estserver.deploy.zappa.stage import look_at_stage, not_deployed
from pki.operators.errors import OperatorError


@dataclass(frozen=True)
class ScheduleStates(Step[Mapping[str, str]]):
    """Both rules are there, and the hourly one is enabled.

    A minutely rule that is disabled is as it should be, because nothing is due then.
    """

    deployment: Deployment
    name = "admin: state of the schedules"

    def look(self) -> Mapping[str, str]:
        """Read the state of each rule, by the rule's name; "" for one that is missing."""
        if not look_at_stage(self.deployment, "admin").is_deployed:
            raise not_deployed("admin")
        names = [rule_name(self.deployment.project, path) for path in (MINUTELY, HOURLY)]
        found = {name: ask_if_any("events", "DescribeRule", Name=name) for name in names}
        return {name: str(rule["State"]) if rule else "" for name, rule in found.items()}

    def plan(self, seen: Mapping[str, str]) -> Plan:
        """Enable what may not be disabled. Raises ``OperatorError`` without a rule."""
        missing = [name for name, state in seen.items() if not state]
        if missing:
            raise OperatorError(
                f"There is no schedule {' and no schedule '.join(missing)}. Nothing that is left "
                "for later is done. Run zappa update admin."
            )
        minutely = rule_name(self.deployment.project, MINUTELY)
        may_pause = self.deployment.config.deployment.pause_idle_schedule
        return Plan(
            tuple(
                Call("events", "EnableRule", f"the schedule {name} is {state}", {"Name": name})
                for name, state in seen.items()
                if state != "ENABLED" and not (name == minutely and may_pause)
            )
        )


def rights(deployment: Deployment) -> ResourceRights:
    """Return the rights to the rules: the functions pause and resume the minutely one only."""
    project = deployment.project
    rules = [
        deployment.arn("events", f"rule/{rule_name(project, path)}") for path in (MINUTELY, HOURLY)
    ]
    resume = allow("ResumeSchedule", ["events:EnableRule"], rules[0])
    pause = allow("PauseSchedule", ["events:DisableRule", "events:EnableRule"], rules[0])
    may_pause = deployment.config.deployment.pause_idle_schedule
    return ResourceRights(
        deploy=[allow("KeepSchedules", ["events:DescribeRule", "events:EnableRule"], rules)],
        functions={"est": [resume], "admin": [pause]} if may_pause else {},
    )
