"""How many connections the functions may open at once, and how many a database takes.

A function's process answers one request at a time, over one connection. Lambda starts a process for
each request that finds none free, so a burst that API Gateway lets through may open as many new
connections at once: https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
"""

from typing import TYPE_CHECKING

from estserver.config.database_choice import is_on_dsql

if TYPE_CHECKING:
    from estserver.config.values import Config

DSQL_CONNECTIONS = 1_000
"""New connections that a cluster of Aurora DSQL takes at once. It takes 100 a second after that,
and 10,000 in all: https://docs.aws.amazon.com/aurora-dsql/latest/userguide/CHAP_quotas.html
"""


def connections_at_once(config: "Config") -> int:
    """Return how many connections a burst of requests may open: to est and to the admin."""
    options = config.deployment
    burst = options.throttling_burst_limit
    of_est = min(burst, options.reserved_concurrency or burst)
    return of_est + burst


def known_limit(config: "Config") -> int | None:
    """Return how many connections the database takes at once, if the configuration tells."""
    return DSQL_CONNECTIONS if is_on_dsql(config.properties) else None


def connection_problem(config: "Config", limit: int | None) -> str:
    """Return a sentence when a burst may open more connections than ``limit``, or ""."""
    wanted = connections_at_once(config)
    if limit is None or wanted <= limit:
        return ""
    return (
        f"throttlingBurstLimit is {config.deployment.throttling_burst_limit}, so that the two APIs "
        f"may open {wanted} connections to the database at once, and it takes {limit}. Lower "
        "throttlingBurstLimit, set reservedConcurrency, or let the database take more."
    )
