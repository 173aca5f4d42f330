"""The bill of a configuration: for a month without a request, and for a million enrollments.

Nothing is asked of AWS. A test compares what is counted here with what a deployment makes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from estserver.config.database_choice import is_on_dsql
from estserver.deploy.costs import prices
from estserver.deploy.costs.prices import Price
from estserver.deploy.deployment import Deployment
from estserver.deploy.front_door import waf
from estserver.deploy.resources.ca_keys import first_keys
from estserver.deploy.resources.watching.alarm_list import alarms
from estserver.deploy.rights.signing import ca_secret_names
from estserver.operations.metrics import CA_DAYS, OUTBOX_AGE, SCHEDULE_RUNS
from pki.choices import IoTProvisioning

HOURS = 730
"""Hours of a month, as AWS reckons."""
MINUTES = HOURS * 60
RUN_SECONDS = 3.0
"""A run of the schedule with a cold start, rounded up."""
MEMORY_GB = 1.0
"""``memory_size`` of zappa_settings.json."""
PACKAGES_GB = 0.1
"""Both packages in their bucket, rounded up."""
CALLS_A_START = 8
"""Calls to Secrets Manager with which a function starts, rounded up: each secret twice."""
ENROLLMENT_SECONDS = 0.1
ENROLLMENT_LOG_BYTES = 3000
"""The lines of the function, of Lambda and of API Gateway for an enrollment, rounded up."""
REGISTRY_OPERATIONS = 4
"""Metered operations with which a thing is made and attached (DescribeThing, CreateThing,
AddThingToThingGroup, ListThingPrincipals). Calls for certificates and policies are not metered."""
MILLION = 1_000_000
IDLE_METRICS = (OUTBOX_AGE, CA_DAYS, SCHEDULE_RUNS)
"""Metrics that are written in a month without a request."""


@dataclass(frozen=True, slots=True)
class Item:
    """A line of a bill: how many units of a price, and what they are."""

    count: float
    """In the price's unit."""
    price: Price
    why: str = ""

    @property
    def dollars(self) -> float:
        """What the line costs."""
        return self.price.of(self.count)


def total(items: list[Item]) -> float:
    """Return the sum of a bill in US dollars."""
    return sum(item.dollars for item in items)


def idle_month(deployment: Deployment) -> list[Item]:
    """Return the bill of a month without a request. What a database in a VPC costs is not in it."""
    return [*_kept(deployment), *_watching(deployment), *_running(deployment)]


def secret_names(deployment: Deployment) -> list[str]:
    """Return the names of the secrets that a deployment and the functions make."""
    session = deployment.config.properties.secret_key_secret_name
    return sorted([session, *ca_secret_names(deployment)])


def key_count(deployment: Deployment) -> int:
    """Return how many keys in KMS a deployment makes: the secrets', and those of CAs."""
    return 1 + len(first_keys(deployment))


def _kept(deployment: Deployment) -> Iterator[Item]:
    names = secret_names(deployment)
    yield Item(len(names), prices.SECRET, ", ".join(names))
    yield Item(key_count(deployment), prices.KEY, "in the first year; each of two renewals adds 1")
    yield Item(PACKAGES_GB, prices.S3_STORAGE, "packages, truststore, audit heads")
    yield Item(HOURS / 1000, prices.PUTS, "the audit trail's heads, each hour")
    if is_on_dsql(deployment.config.properties):
        yield Item(1, prices.DSQL_STORAGE, "up to a GB is free")


def _watching(deployment: Deployment) -> Iterator[Item]:
    # The cluster's id is in AWS. How many alarms it has does not depend on it.
    cluster = "any" if is_on_dsql(deployment.config.properties) else ""
    listed = alarms(deployment, cluster=cluster)
    yield Item(len(listed), prices.ALARM, "ten are free")
    yield Item(len(IDLE_METRICS), prices.METRIC, ", ".join(IDLE_METRICS))
    yield Item(1, prices.DASHBOARD, "three are free")
    if deployment.config.deployment.waf_enabled:
        yield Item(1, prices.WEB_ACL)
        yield Item(len(waf.rules(deployment)), prices.WAF_RULE)


def _running(deployment: Deployment) -> Iterator[Item]:
    is_paused = deployment.config.deployment.pause_idle_schedule
    runs = HOURS if is_paused else HOURS + MINUTES
    yield Item(runs / MILLION, prices.INVOCATIONS, f"{runs:,} runs of the schedule")
    yield Item(runs * RUN_SECONDS * MEMORY_GB / MILLION, prices.GB_SECONDS, "of these runs")
    yield Item(HOURS * CALLS_A_START / 10_000, prices.SECRET_CALLS, "of functions that start")


def million_enrollments(deployment: Deployment) -> list[Item]:
    """Return the bill of a million enrollments, without what is free for the first of them.

    What the database does for them is not in it, and no retries of devices.
    """
    values = deployment.config.properties
    items = [
        Item(1, prices.REQUESTS),
        Item(1, prices.INVOCATIONS),
        Item(ENROLLMENT_SECONDS * MEMORY_GB, prices.GB_SECONDS, "at 100 ms and 1 GB"),
        Item(ENROLLMENT_LOG_BYTES * MILLION / 1e9, prices.LOGS, "3 kB an enrollment"),
    ]
    if deployment.config.deployment.waf_enabled:
        items.append(Item(1, prices.WAF_REQUESTS))
    if first_keys(deployment):
        is_rsa = values.device_ca_key_algorithm.startswith("rsa")
        signatures = prices.RSA_SIGNATURES if is_rsa else prices.EC_SIGNATURES
        items.append(Item(MILLION / 10_000, signatures))
    if deployment.config.iot_provisioning != IoTProvisioning.NONE:
        items.append(Item(REGISTRY_OPERATIONS, prices.REGISTRY, "a thing each, with a group"))
    if deployment.config.deployment.tracing:
        items.append(Item(0.05, prices.TRACES, "a twentieth is traced"))
    return [Item(each.count + each.price.free, each.price, each.why) for each in items]
