"""The step that sets the CloudWatch alarms of the list."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from estserver.deploy.deployment import Deployment
from estserver.deploy.engine.calls import Call, ask, ask_all
from estserver.deploy.engine.steps import DONE, Plan, Step
from estserver.deploy.resources.watching import database_metrics
from estserver.deploy.resources.watching.alarm_list import (
    NEW_ACCOUNTS_CONCURRENCY,
    Alarm,
    alarms,
)
from estserver.deploy.resources.watching.topic import topic_in_use
from estserver.deploy.rights.statements import ResourceRights, allow
from pki.aws.ownership import tags_of
from pki.operators.errors import OperatorError


@dataclass(frozen=True, slots=True)
class SeenAlarms:
    """The alarms whose names begin with the project's, by name, and the tags of each."""

    by_name: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tags: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    concurrency: int = NEW_ACCOUNTS_CONCURRENCY
    cluster: str | OperatorError = ""
    """The id of the Aurora DSQL cluster, or why it is not known."""


@dataclass(frozen=True)
class Alarms(Step[SeenAlarms]):
    """Every alarm of the list, and no other one that this tool made."""

    deployment: Deployment
    severity = "WARN"
    name = "alarms"

    def look(self) -> SeenAlarms:
        """Read the alarms whose names begin with the project's, and the account's concurrency."""
        limits = ask("lambda", "GetAccountSettings")["AccountLimit"]
        found = ask_all(
            "cloudwatch",
            "DescribeAlarms",
            "MetricAlarms",
            AlarmNamePrefix=f"{self.deployment.project}-",
        )
        return SeenAlarms(
            {alarm["AlarmName"]: alarm for alarm in found},
            {
                alarm["AlarmName"]: tags_of(
                    ask("cloudwatch", "ListTagsForResource", ResourceARN=alarm["AlarmArn"])["Tags"]
                )
                for alarm in found
            },
            int(limits["ConcurrentExecutions"]),
            database_metrics.look_for_cluster(self.deployment),
        )

    def plan(self, seen: SeenAlarms) -> Plan:
        """Put alarms that are missing or differ, and delete those that left the list.

        Raises ``OperatorError`` when it is not known which cluster is the database.
        """
        calls = []
        cluster = database_metrics.known_cluster(seen.cluster)
        listed = alarms(self.deployment, cluster=cluster, concurrency=seen.concurrency)
        wanted = {alarm.name: self._parameters(alarm) for alarm in listed}
        for name, parameters in wanted.items():
            there = seen.by_name.get(name)
            if there is None:
                reason = f"there is no alarm {name}"
            elif not _is_as_wanted(there, parameters):
                reason = f"the alarm {name} was changed"
            else:
                continue
            calls.append(Call("cloudwatch", "PutMetricAlarm", reason, parameters))
        leftover = [name for name in self._made_here(seen) if name not in wanted]
        if leftover:
            reason = f"no longer wanted: {', '.join(leftover)}"
            calls.append(Call("cloudwatch", "DeleteAlarms", reason, {"AlarmNames": leftover}))
        return Plan(tuple(calls))

    def undo(self, seen: SeenAlarms) -> Plan:
        """Delete the alarms that this tool made."""
        names = self._made_here(seen)
        if not names:
            return DONE
        reason = f"{len(names)} alarms were made by aws_deploy"
        return Plan((Call("cloudwatch", "DeleteAlarms", reason, {"AlarmNames": names}),))

    def _made_here(self, seen: SeenAlarms) -> list[str]:
        return sorted(name for name, tags in seen.tags.items() if self.deployment.is_ours(tags))

    def _parameters(self, alarm: Alarm) -> dict[str, Any]:
        topic = topic_in_use(self.deployment)
        return {
            "AlarmName": alarm.name,
            "AlarmDescription": alarm.meaning,
            "Namespace": alarm.namespace,
            "MetricName": alarm.metric,
            "Dimensions": [
                {"Name": key, "Value": value} for key, value in alarm.dimensions.items()
            ],
            "Statistic": alarm.statistic,
            "ComparisonOperator": alarm.comparison,
            "Threshold": float(alarm.threshold),
            "Period": alarm.period,
            "EvaluationPeriods": alarm.periods,
            "TreatMissingData": alarm.missing,
            "AlarmActions": [topic],
            "OKActions": [topic],
            "Tags": self.deployment.tag_list(),
        }


def _is_as_wanted(seen: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Compare all but the tags. AWS may answer dimensions in another order."""
    return all(
        _unordered(seen.get(key)) == _unordered(value)
        if key == "Dimensions"
        else seen.get(key) == value
        for key, value in wanted.items()
        if key != "Tags"
    )


def _unordered(dimensions: Any) -> list[tuple[str, str]]:
    return sorted((each["Name"], each["Value"]) for each in dimensions or ())


def rights(deployment: Deployment) -> ResourceRights:
    """Return the rights to the alarms; deploying also deletes those that are wanted no more."""
    return ResourceRights(
        look=[
            "cloudwatch:DescribeAlarms",
            "cloudwatch:ListTagsForResource",
            "lambda:GetAccountSettings",
        ],
        deploy=[
            allow(
                "Alarms",
                ["cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm", "cloudwatch:TagResource"],
                deployment.arn("cloudwatch", f"alarm:{deployment.project}-*"),
            )
        ],
    )
