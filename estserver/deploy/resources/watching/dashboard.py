"""The CloudWatch dashboard: what it shows, as data, and the step that puts it.

What has no metric of its own is read from the logs, because a metric costs money each month and a
query only when a person looks.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from estserver.deploy.deployment import STAGES, Deployment
from estserver.deploy.engine.calls import Call, ask_if_any
from estserver.deploy.engine.steps import DONE, Plan, Step
from estserver.deploy.resources.watching import database_metrics
from estserver.deploy.resources.watching.alarm_list import alarms
from estserver.deploy.rights.statements import ResourceRights, allow
from estserver.operations.metrics import (
    CA_DAYS,
    DATABASE_FAILURES,
    ENROLLMENTS,
    IOT_THROTTLES,
    NAMESPACE,
    OUTBOX_AGE,
    SCHEDULE_RUNS,
)
from pki.operators.errors import OperatorError

Widget = dict[str, Any]

PERIOD = 300  # seconds
HOUR = 3600  # seconds
COLUMNS = 24  # of a dashboard
WIDTH, HEIGHT = 8, 6  # of a widget

OUTCOMES = ("ok", "refused", "failed")
MARK = "Made by aws_deploy, which sets it back. Copy it before you change it."
"""The text by which the tool knows a dashboard that it made."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a graph: a metric, its dimensions, and the statistic."""

    namespace: str
    metric: str
    dimensions: Mapping[str, str]
    statistic: str = "Sum"
    label: str = ""

    def as_json(self) -> list[Any]:
        """Return it in the form that a widget's ``metrics`` have."""
        named = [text for pair in self.dimensions.items() for text in pair]
        options = {"stat": self.statistic, "label": self.label or self.metric}
        return [self.namespace, self.metric, *named, options]


def graphs(deployment: Deployment, cluster: str) -> dict[str, list[Line]]:
    """Return the graphs of metrics by their titles, a DSQL cluster's among them."""
    own = {"Project": deployment.project}
    est = {"ApiName": deployment.function("est")}
    functions = {stage: {"FunctionName": deployment.function(stage)} for stage in STAGES}
    found = {
        "Enrollments": [
            Line(NAMESPACE, ENROLLMENTS, {**own, "Outcome": outcome}, label=outcome)
            for outcome in OUTCOMES
        ],
        "Latency of the device side (ms)": [
            Line("AWS/ApiGateway", "Latency", est, statistic, statistic)
            for statistic in ("p50", "p95", "p99")
        ],
        "Answers of the device side": [
            Line("AWS/ApiGateway", name, est) for name in ("Count", "4XXError", "5XXError")
        ],
        "Functions": [
            Line("AWS/Lambda", name, functions[stage], label=f"{stage}: {name}")
            for stage in STAGES
            for name in ("Invocations", "Errors", "Throttles")
        ],
        "Outbox: age of the oldest row (s)": [Line(NAMESPACE, OUTBOX_AGE, own, "Maximum")],
        "Days until the first CA expires": [Line(NAMESPACE, CA_DAYS, own, "Minimum")],
        "Schedule, and what fails": [
            Line(NAMESPACE, name, own) for name in (SCHEDULE_RUNS, DATABASE_FAILURES, IOT_THROTTLES)
        ],
    }
    if cluster:
        of_cluster = database_metrics.of_cluster(cluster)
        space = database_metrics.NAMESPACE
        found["Database: work"] = [
            Line(space, name, of_cluster)
            for name in ("TotalDPU", "TotalTransactions", "OccConflicts", "QueryTimeouts")
        ]
        found["Database: size (bytes) and connections"] = [
            Line(space, "ClusterStorageSize", of_cluster, "Maximum"),
            Line(
                database_metrics.USAGE_NAMESPACE,
                "ResourceCount",
                database_metrics.of_connections(cluster),
                "Maximum",
                "connections",
            ),
        ]
    return found


def queries(deployment: Deployment) -> dict[str, str]:
    """Return what is read from the log of the function est, by titles.

    Lambda's REPORT lines have the duration of a cold start:
    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html
    """
    source = f"SOURCE '{deployment.function_log_group('est')}'"
    return {
        "Refusals by reason": f"{source} | filter message = 'request' and ispresent(reason) "
        "| stats count(*) as refusals by reason | sort refusals desc | limit 20",
        "Cold starts (ms)": f"{source} | filter @type = 'REPORT' and ispresent(@initDuration) "
        "| stats count(*) as starts, pct(@initDuration, 50) as p50, "
        "pct(@initDuration, 95) as p95 by bin(1h)",
    }


def body(deployment: Deployment, cluster: str) -> dict[str, Any]:
    """Return the dashboard. ``cluster`` is the id of the Aurora DSQL cluster, or ""."""
    widgets = [
        *_graph_widgets(deployment, cluster),
        *_query_widgets(deployment),
        _alarms(deployment, cluster),
    ]
    placed = [{**_place(number), **widget} for number, widget in enumerate(widgets)]
    rows = -(-len(placed) * WIDTH // COLUMNS)
    mark = {
        "type": "text",
        "x": 0,
        "y": rows * HEIGHT,
        "width": COLUMNS,
        "height": 1,
        "properties": {"markdown": MARK},
    }
    return {"start": "-P1D", "widgets": [*placed, mark]}


def _graph_widgets(deployment: Deployment, cluster: str) -> Iterator[Widget]:
    for title, lines in graphs(deployment, cluster).items():
        is_hourly = any(line.metric in (CA_DAYS, SCHEDULE_RUNS) for line in lines)
        yield {
            "type": "metric",
            "properties": {
                "title": title,
                "region": deployment.region,
                "view": "timeSeries",
                "period": HOUR if is_hourly else PERIOD,
                "metrics": [line.as_json() for line in lines],
                "yAxis": {"left": {"min": 0}},
            },
        }


def _query_widgets(deployment: Deployment) -> Iterator[Widget]:
    for title, query in queries(deployment).items():
        properties = {
            "title": title,
            "region": deployment.region,
            "view": "table",
            "query": query,
        }
        yield {"type": "log", "properties": properties}


def _alarms(deployment: Deployment, cluster: str) -> Widget:
    arns = [
        deployment.arn("cloudwatch", f"alarm:{alarm.name}")
        for alarm in alarms(deployment, cluster=cluster)
    ]
    return {"type": "alarm", "properties": {"title": "Alarms", "alarms": arns}}


def _place(number: int) -> dict[str, int]:
    row, column = divmod(number, COLUMNS // WIDTH)
    return {"x": column * WIDTH, "y": row * HEIGHT, "width": WIDTH, "height": HEIGHT}


@dataclass(frozen=True, slots=True)
class SeenDashboard:
    """The dashboard's body, empty if there is none, and the id of the Aurora DSQL cluster.

    In place of an id it holds why the cluster is not known.
    """

    body: Mapping[str, Any]
    cluster: str | OperatorError


@dataclass(frozen=True)
class Dashboard(Step[SeenDashboard]):
    """The dashboard under the project's name."""

    deployment: Deployment
    severity = "WARN"
    name = "dashboard"

    def look(self) -> SeenDashboard:
        """Read the dashboard, and which cluster there is."""
        answer = ask_if_any("cloudwatch", "GetDashboard", DashboardName=self.deployment.project)
        return SeenDashboard(
            json.loads(answer["DashboardBody"]) if answer else {},
            database_metrics.look_for_cluster(self.deployment),
        )

    def plan(self, seen: SeenDashboard) -> Plan:
        """Put the dashboard.

        Raises ``OperatorError`` for one that another tool made, and when it is not known which
        cluster is the database.
        """
        wanted = body(self.deployment, database_metrics.known_cluster(seen.cluster))
        if seen.body == wanted:
            return DONE
        name = self.deployment.project
        if seen.body and not _is_ours(seen.body):
            raise OperatorError(
                f"There is a dashboard {name} that aws_deploy did not make. Give it another name."
            )
        reason = "it was changed" if seen.body else f"there is no dashboard {name}"
        parameters = {"DashboardName": name, "DashboardBody": json.dumps(wanted)}
        return Plan((Call("cloudwatch", "PutDashboard", reason, parameters),))

    def undo(self, seen: SeenDashboard) -> Plan:
        """Delete the dashboard, if this tool made it."""
        if not _is_ours(seen.body):
            return DONE
        name = self.deployment.project
        reason = f"the dashboard {name} was made by aws_deploy"
        return Plan((Call("cloudwatch", "DeleteDashboards", reason, {"DashboardNames": [name]}),))


def _is_ours(seen: Mapping[str, Any]) -> bool:
    widgets: Sequence[Widget] = seen.get("widgets", ())
    return any(each.get("properties", {}).get("markdown") == MARK for each in widgets)


def rights(deployment: Deployment) -> ResourceRights:
    """Return the rights to the dashboard, whose ARN has no region."""
    arn = f"arn:{deployment.partition}:cloudwatch::{deployment.account}:dashboard/"
    return ResourceRights(
        deploy=[
            allow(
                "Dashboard",
                [
                    "cloudwatch:DeleteDashboards",
                    "cloudwatch:GetDashboard",
                    "cloudwatch:PutDashboard",
                ],
                f"{arn}{deployment.project}",
            )
        ],
    )
