"""The metrics that AWS publishes of the deployment's database, where it publishes any.

Of a database in a VPC that a secret names, the deployment knows a host name and no identifier.
Its failures are counted by the server itself (``DatabaseFailures``).
"""

from urllib.parse import urlsplit

from estserver.deploy.deployment import Deployment

NAMESPACE = "AWS/AuroraDSQL"
"""https://docs.aws.amazon.com/aurora-dsql/latest/userguide/cloudwatch-monitoring.html"""
USAGE_NAMESPACE = "AWS/Usage"
CONNECTION_QUOTA = 10_000
STORAGE_QUOTA = 10 * 1024**4
"""Connections, and bytes, of a cluster.
https://docs.aws.amazon.com/aurora-dsql/latest/userguide/CHAP_quotas.html
"""


def dsql_cluster(deployment: Deployment) -> str:
    """Return the id of the Aurora DSQL cluster, which begins its host name; "" for none.

    The steps ask this when they look, and hand the id to what they plan.
    """
    parts = urlsplit(deployment.config.properties.database_url)
    return (parts.hostname or "").partition(".")[0] if parts.scheme == "dsql" else ""


def of_cluster(cluster: str) -> dict[str, str]:
    """Return the dimension of a cluster's own metrics."""
    return {"ResourceId": cluster}


def of_connections(cluster: str) -> dict[str, str]:
    """Return the dimensions of the usage metric ``ResourceCount`` of its connections."""
    return {
        "Service": "AuroraDSQL",
        "Type": "Resource",
        "Resource": "ClusterConnectionCount",
        "ResourceId": f"cluster/{cluster}",
    }
