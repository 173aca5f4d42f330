"""A stack whose first creation failed, which CloudFormation lets one only delete."""

from dataclasses import dataclass

from estserver.deploy.deployment import Deployment, StageName
from estserver.deploy.engine.calls import Call
from estserver.deploy.engine.steps import DONE, Plan, Step
from estserver.deploy.zappa.stage import SeenStage, look_at_stage

NEVER_MADE = frozenset({"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"})
"""A stack is in these after a creation that failed, and not after a failed update.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
"""


@dataclass(frozen=True)
class BrokenStack(Step[SeenStage]):
    """What is left of a stack that never served, out of Zappa's way."""

    deployment: Deployment
    stage: StageName

    @property
    def name(self) -> str:
        """The step's name, as plans and messages show it."""
        return f"{self.stage}: remains of a stack"

    def look(self) -> SeenStage:
        """Read what there is of the stage."""
        return look_at_stage(self.deployment, self.stage)

    def plan(self, seen: SeenStage) -> Plan:
        """Delete the stack if its creation failed, and wait until it is gone."""
        if seen.stack == "DELETE_IN_PROGRESS":
            return Plan(waiting="CloudFormation is deleting the stack")
        if seen.stack not in NEVER_MADE:
            return DONE
        name = self.deployment.function(self.stage)
        reason = f"the stack {name} is in {seen.stack}, because it could not be made"
        return Plan((Call("cloudformation", "DeleteStack", reason, {"StackName": name}),))
