"""The CloudWatch alarms, as data: what is measured, from when on, and what a person reads."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from estserver.deploy.deployment import STAGES, Deployment
from estserver.deploy.resources.watching import database_metrics
from estserver.operations.gauges import CA_DAYS_LEFT, OUTBOX_SECONDS
from estserver.operations.metrics import (
    CA_DAYS,
    DATABASE_FAILURES,
    IOT_THROTTLES,
    NAMESPACE,
    OUTBOX_AGE,
    SCHEDULE_RUNS,
)

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
    """Yield the alarms before certificates expire. ACM itself counts the days, once a day."""
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
        threshold=OUTBOX_SECONDS,
    )
    yield Alarm(
        f"{deployment.project}-ca-days",
        "A CA expires within three months. Begin its rollover (ca_successor).",
        NAMESPACE,
        CA_DAYS,
        own,
        "Minimum",
        LESS,
        threshold=CA_DAYS_LEFT,
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
