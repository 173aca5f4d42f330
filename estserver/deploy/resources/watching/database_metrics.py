"""The metrics that AWS publishes of the deployment's database, where it publishes any.

Of a database in a VPC that a secret names, the deployment knows a host name and no identifier.
Its failures are counted by the server itself (``DatabaseFailures``).
"""

from urllib.parse import urlsplit

from estserver.deploy.deployment import Deployment
from estserver.deploy.rights.dsql_cluster import cluster_in_use
from pki.operators.errors import OperatorError, RemoteFailure

NAMESPACE = "AWS/AuroraDSQL"
"""https://docs.aws.amazon.com/aurora-dsql/latest/userguide/cloudwatch-monitoring.html"""
USAGE_NAMESPACE = "AWS/Usage"
CONNECTION_QUOTA = 10_000
STORAGE_QUOTA = 10 * 1024**4
"""Connections, and bytes, of a cluster.
https://docs.aws.amazon.com/aurora-dsql/latest/userguide/CHAP_quotas.html
"""


def dsql_cluster(deployment: Deployment) -> str:
    """Return the id of the Aurora DSQL cluster that the functions use; "" for none, or none yet.

    A host name of the configuration begins with it. AWS is asked for the cluster that the
    deployment makes. Raises as `cluster_in_use` does.
    """
    parts = urlsplit(deployment.config.properties.database_url)
    if parts.scheme == "dsql":
        return (parts.hostname or "").partition(".")[0]
    cluster = cluster_in_use(deployment)
    return cluster.identifier if cluster else ""


def look_for_cluster(deployment: Deployment) -> str | OperatorError:
    """Return the cluster's id, or why it is not known, which is no matter to a removal.

    The steps ask this when they look, and hand the id to what they plan. Raises ``RemoteFailure``.
    """
    try:
        return dsql_cluster(deployment)
    except RemoteFailure:
        raise
    except OperatorError as error:
        return error


def known_cluster(seen: str | OperatorError) -> str:
    """Return the id that a look found. Raises what it found instead."""
    if isinstance(seen, OperatorError):
        raise seen
    return seen


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
