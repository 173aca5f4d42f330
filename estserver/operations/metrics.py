"""Metrics for CloudWatch, as fields of a log line in its embedded metric format.

A metric costs money in each hour in which a line has it. So what only failures count is written
only then.

CloudWatch reads the numbers from the function's log. The function needs no right, no call and no
library for that.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

NAMESPACE = "EST"
OUTBOX_AGE = "OutboxAgeSeconds"
CA_DAYS = "CADaysToExpiry"
ENROLLMENTS = "Enrollments"
SCHEDULE_RUNS = "ScheduleRuns"
DATABASE_FAILURES = "DatabaseFailures"
IOT_THROTTLES = "IoTThrottles"

_SERVER_ERROR = 500
_REFUSED = 400


@dataclass(frozen=True, slots=True)
class Metric:
    """A number with CloudWatch's unit for it: ``Count``, ``Seconds`` or ``None``."""

    name: str
    value: float
    unit: str


def metric_fields(*metrics: Metric, by: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the fields of a log line from which CloudWatch makes ``metrics``.

    Each metric has the dimension ``Project``, and again with each further one of ``by`` added in
    turn: with the first, then with the first and second.
    """
    dimensions = {"Project": settings.CONFIG.deployment.project_name, **(by or {})}
    names = list(dimensions)
    return {
        **dimensions,
        **{metric.name: metric.value for metric in metrics},
        "_aws": {
            "Timestamp": int(time.time() * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": NAMESPACE,
                    "Dimensions": [names[:count] for count in range(1, len(names) + 1)],
                    "Metrics": [{"Name": each.name, "Unit": each.unit} for each in metrics],
                }
            ],
        },
    }


def one(name: str, count: int = 1) -> dict[str, Any]:
    """Return the fields that count something that happened: ``count`` times, by project alone."""
    return metric_fields(Metric(name, count, "Count"))


def enrollment(status: int, reason: str | None) -> dict[str, Any]:
    """Return the fields that count an enrollment or renewal by outcome (ok, refused, failed)."""
    outcome = "ok"
    if status >= _REFUSED:
        outcome = "failed" if status >= _SERVER_ERROR else "refused"
    by = {"Outcome": outcome} | ({"Reason": reason} if reason else {})
    return metric_fields(Metric(ENROLLMENTS, 1, "Count"), by=by)
