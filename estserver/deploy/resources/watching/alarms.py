"""The CloudWatch alarms, as data, and the step that sets them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from estserver.deploy.deployment import STAGES, Deployment
from estserver.deploy.engine.calls import Call, ask, ask_all
from estserver.deploy.engine.steps import DONE, Plan, Step
from estserver.deploy.resources.watching import database_metrics
from estserver.deploy.resources.watching.topic import topic_in_use
from estserver.deploy.rights.statements import ResourceRights, allow
from estserver.operations.metrics import (
    CA_DAYS,
    DATABASE_FAILURES,
    IOT_THROTTLES,
    NAMESPACE,
    OUTBOX_AGE,
    SCHEDULE_RUNS,
)
from pki.aws.ownership import tags_of
from pki.operators.errors import OperatorError

PERIOD = 300  # seconds
HOUR = 3600  # seconds
DAY = 86_400  # seconds
NEAR = 0.8
"""The part of a quota from which on it is near."""
NEW_ACCOUNTS_CONCURRENCY = 1000
"""The default quota; a new account may have less until AWS has seen it used.
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm. ``meaning`` is what a person reads at night: what is wrong, and what to do."""

    name: str
    meaning: str
    namespace: str
    metric: str
    dimensions: Mapping[str, str]
    statistic: str
    comparison: str
    threshold: float
    period: int = PERIOD
    periods: int = 1
    missing: str = "notBreaching"


MORE = "GreaterThanThreshold"
LESS = "LessThanThreshold"


def alarms(
    deployment: Deployment, *, cluster: str, concurrency: int = NEW_ACCOUNTS_CONCURRENCY
) -> list[Alarm]:
    """Return every alarm of a deployment, by name.

    ``cluster`` is the id of its Aurora DSQL cluster, or "". ``concurrency`` is how many functions
    the account may run at once.
    """
    watched = [
        *_of_stages(deployment),
        *_of_certificates(deployment),
        *_of_the_record(deployment),
        *_of_the_schedule(deployment),
        *_of_the_database(deployment, cluster),
        *_of_quotas(deployment, concurrency),
    ]
    return sorted(watched, key=lambda alarm: alarm.name)


def _of_stages(deployment: Deployment) -> Iterator[Alarm]:
    for stage in STAGES:
        function = deployment.function(stage)
        api = {"ApiName": function}
        runs = {"FunctionName": function}
        yield Alarm(
            f"{function}-5xx",
            "Requests fail on the server's side. Look for errors in the function's log.",
            "AWS/ApiGateway",
            "5XXError",
            api,
            "Sum",
            MORE,
            threshold=5,
        )
        yield Alarm(
            f"{function}-errors",
            "The function ends with an error or runs out of time. Look at its log.",
            "AWS/Lambda",
            "Errors",
            runs,
            "Sum",
            MORE,
            threshold=0,
        )
        yield Alarm(
            f"{function}-throttles",
            "Lambda turns requests away, because the account's or the function's concurrency is "
            "used up.",
            "AWS/Lambda",
            "Throttles",
            runs,
            "Sum",
            MORE,
            threshold=0,
        )


def _of_certificates(deployment: Deployment) -> Iterator[Alarm]:
    """Alarms before certificates expire. ACM counts the days itself, once a day, whoever issued."""
    for key, arn in deployment.certificates.items():
        if arn:
            yield Alarm(
                f"{deployment.project}-{key}",
                f"The certificate of {key} expires soon. Renew it in ACM, with the same ARN. An "
                "expired ownership certificate locks the domain, its truststore too.",
                "AWS/CertificateManager",
                "DaysToExpiry",
                {"CertificateArn": arn},
                "Minimum",
                LESS,
                threshold=30,
                period=DAY,
                missing="ignore",
            )


def _of_the_record(deployment: Deployment) -> Iterator[Alarm]:
    own = {"Project": deployment.project}
    yield Alarm(
        f"{deployment.project}-outbox-age",
        "For a quarter of an hour, certificates have not reached AWS IoT. Look at the outbox in "
        "the admin.",
        NAMESPACE,
        OUTBOX_AGE,
        own,
        "Maximum",
        MORE,
        threshold=900,
    )
    yield Alarm(
        f"{deployment.project}-ca-days",
        "A CA expires within three months. Begin its rollover (ca_successor).",
        NAMESPACE,
        CA_DAYS,
        own,
        "Minimum",
        LESS,
        threshold=90,
        period=DAY,
    )


def _of_the_schedule(deployment: Deployment) -> Iterator[Alarm]:
    """Yield the alarm of a dead schedule. The hourly one runs also while there is nothing to do."""
    yield Alarm(
        f"{deployment.project}-schedule",
        "For three hours the schedule has not run without a failure. What waits for AWS IoT stays "
        "undone. Look at the log of the admin's function, and at aws_status.",
        NAMESPACE,
        SCHEDULE_RUNS,
        {"Project": deployment.project},
        "Sum",
        LESS,
        threshold=1,
        period=HOUR,
        periods=3,
        missing="breaching",
    )


def _of_the_database(deployment: Deployment, cluster: str) -> Iterator[Alarm]:
    """Yield the alarms of the database. Its failures are counted only when there are any."""
    yield Alarm(
        f"{deployment.project}-database",
        "The database does not answer, and devices get 503. Look at the database, and at the "
        "functions' way to it.",
        NAMESPACE,
        DATABASE_FAILURES,
        {"Project": deployment.project},
        "Sum",
        MORE,
        threshold=0,
    )
    if not cluster:
        return
    yield Alarm(
        f"{deployment.project}-database-connections",
        "The Aurora DSQL cluster has four fifths of the connections that its quota allows. Have "
        "the quota raised, or lower throttlingRateLimit.",
        database_metrics.USAGE_NAMESPACE,
        "ResourceCount",
        database_metrics.of_connections(cluster),
        "Maximum",
        MORE,
        threshold=NEAR * database_metrics.CONNECTION_QUOTA,
    )
    yield Alarm(
        f"{deployment.project}-database-storage",
        "The Aurora DSQL cluster holds four fifths of what its quota allows. Have the quota "
        "raised.",
        database_metrics.NAMESPACE,
        "ClusterStorageSize",
        database_metrics.of_cluster(cluster),
        "Maximum",
        MORE,
        threshold=NEAR * database_metrics.STORAGE_QUOTA,
        period=DAY,
    )


def _of_quotas(deployment: Deployment, concurrency: int) -> Iterator[Alarm]:
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-concurrency.html
    yield Alarm(
        f"{deployment.project}-concurrency",
        "The account's functions use four fifths of its concurrency, this installation's or "
        "others'. Have the quota raised before Lambda turns devices away.",
        "AWS/Lambda",
        "ClaimedAccountConcurrency",
        {},
        "Maximum",
        MORE,
        threshold=NEAR * concurrency,
    )
    yield Alarm(
        f"{deployment.project}-iot-throttles",
        "For a quarter of an hour AWS IoT has turned calls away, because the account's rate is "
        "used up. The outbox tries again. Have the quota of RegisterCertificate raised.",
        NAMESPACE,
        IOT_THROTTLES,
        {"Project": deployment.project},
        "Sum",
        MORE,
        threshold=0,
        periods=3,
    )


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
