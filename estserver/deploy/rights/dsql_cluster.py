"""The cluster of Aurora DSQL that a deployment makes and uses: when there is one, and which it is.

A cluster is found by its tag each time, so that a restored one takes over by being tagged.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from estserver.config.database import DSQL
from estserver.config.database_choice import takes_cluster
from estserver.deploy.deployment import STAGES, Deployment, StageName
from estserver.deploy.engine.calls import ask, ask_all, ask_if_any
from estserver.dsql.grants import ADMIN_ROLE, DEVICE_ROLE
from pki.operators.errors import OperatorError, RemoteFailure

ACTIVE = "ACTIVE"
USABLE = frozenset({ACTIVE, "IDLE", "INACTIVE", "UPDATING"})
"""States in which a cluster takes connections. An idle one wakes with the first.
https://docs.aws.amazon.com/aurora-dsql/latest/userguide/cluster-lifecycle.html
"""
DELETING = frozenset({"PENDING_DELETE", "DELETING", "DELETED"})
DATABASE_ROLES: Mapping[StageName, str] = {"est": DEVICE_ROLE, "admin": ADMIN_ROLE}
"""The database role that a stage's function logs in as."""
DATABASE = "postgres"
_NO_ENDPOINT = frozenset({"EndpointConnection", "UnknownEndpoint"})


@dataclass(frozen=True, slots=True)
class DSQLCluster:
    """A cluster with the tag of this installation."""

    identifier: str
    arn: str
    endpoint: str
    status: str
    is_protected: bool
    key_arn: str = ""
    """The customer's key in KMS; "" for a key that AWS owns."""
    encryption: str = "ENABLED"
    tags: Mapping[str, str] = field(default_factory=dict)

    def url(self, stage: StageName) -> str:
        """Return the database's URL for a stage's function. There is no password in it."""
        return f"dsql://{DATABASE_ROLES[stage]}@{self.endpoint}/{DATABASE}"


def may_have_cluster(deployment: Deployment) -> bool:
    """Whether the configuration asks for a cluster: by `database`, or by naming no database."""
    return takes_cluster(deployment.config.properties)


def has_cluster(deployment: Deployment) -> bool:
    """Whether this deployment makes and uses a cluster. Raises ``RemoteFailure``.

    Functions that were given another database by hand keep it, unless the configuration says
    ``database: dsql``. Otherwise an update would lead them to an empty database.
    """
    if not may_have_cluster(deployment):
        return False
    if deployment.config.properties.database == DSQL:
        return True
    return not any(_has_other_database(deployment, stage) for stage in STAGES)


def _has_other_database(deployment: Deployment, stage: StageName) -> bool:
    function = ask_if_any(
        "lambda", "GetFunctionConfiguration", FunctionName=deployment.function(stage)
    )
    url = (function or {}).get("Environment", {}).get("Variables", {}).get("DATABASE_URL", "")
    parts = urlsplit(url)
    is_of_a_cluster = parts.scheme == "dsql" and parts.username in DATABASE_ROLES.values()
    return bool(url) and not is_of_a_cluster


def find_cluster(deployment: Deployment) -> DSQLCluster | None:
    """Return the cluster with this installation's tag, in whatever state; ``None`` for none.

    Raises ``OperatorError`` for several and for a region without Aurora DSQL, and
    ``RemoteFailure``.
    """
    found = [
        (str(each["identifier"]), tags)
        for each in _clusters(deployment)
        if deployment.is_ours(tags := _tags(each["arn"]))
    ]
    described = [_described(identifier, tags) for identifier, tags in found]
    clusters = [each for each in described if each is not None]
    in_use = [each for each in clusters if each.status not in DELETING]
    if len(in_use) > 1:
        raise OperatorError(
            f"{len(in_use)} clusters of Aurora DSQL have the tag of {deployment.project}: "
            f"{', '.join(each.identifier for each in in_use)}. One is the database. Take the tag "
            "est-server:made-by from the others (aws dsql untag-resource)."
        )
    return next(iter([*in_use, *clusters]), None)


def cluster_in_use(deployment: Deployment) -> DSQLCluster | None:
    """Return the cluster that the functions are to use; ``None`` for none, or none yet.

    Raises as `find_cluster` does.
    """
    if not has_cluster(deployment):
        return None
    cluster = find_cluster(deployment)
    return cluster if cluster and cluster.status not in DELETING else None


def _clusters(deployment: Deployment) -> list[Mapping[str, str]]:
    try:
        return ask_all("dsql", "ListClusters", "clusters")
    except RemoteFailure as error:
        # botocore's list of regions has no entry for the service, so that only a call tells.
        if error.code not in _NO_ENDPOINT:
            raise
        raise OperatorError(
            f"Aurora DSQL does not answer in {deployment.region}, and may not exist there. Choose "
            "a database: another awsRegion, database: stack NAME for one in a VPC, or "
            "databaseSecretName or databaseUrl for one of yours."
        ) from error


def _tags(arn: str) -> Mapping[str, str]:
    answer = ask_if_any("dsql", "ListTagsForResource", resourceArn=arn) or {}
    return dict(answer.get("tags", {}))


def _described(identifier: str, tags: Mapping[str, str]) -> DSQLCluster | None:
    """Return a cluster; ``None`` when it has gone since it was listed."""
    seen = ask_if_any("dsql", "GetCluster", identifier=identifier)
    if seen is None:
        return None
    encryption = seen.get("encryptionDetails", {})
    return DSQLCluster(
        identifier,
        str(seen["arn"]),
        str(seen.get("endpoint") or ""),
        str(seen["status"]),
        bool(seen.get("deletionProtectionEnabled")),
        str(encryption.get("kmsKeyArn") or ""),
        str(encryption.get("encryptionStatus") or "ENABLED"),
        tags,
    )


def last_backup(cluster: DSQLCluster) -> str:
    """Return when the newest finished backup was made, as text; "" for none."""
    points = ask("backup", "ListRecoveryPointsByResource", ResourceArn=cluster.arn)
    done = [each for each in points["RecoveryPoints"] if each.get("Status") == "COMPLETED"]
    newest = max((each["CreationDate"] for each in done), default=None)
    return newest.strftime("%Y-%m-%d %H:%M %Z").strip() if newest else ""
