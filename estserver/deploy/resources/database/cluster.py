"""The cluster of Aurora DSQL that holds the CA's record.

https://docs.aws.amazon.com/aurora-dsql/latest/APIReference/API_CreateCluster.html
"""

from dataclasses import dataclass
from uuid import uuid4

from estserver.deploy.deployment import Deployment
from estserver.deploy.engine.calls import Call
from estserver.deploy.engine.steps import DONE, Plan, Step
from estserver.deploy.rights.dsql_cluster import DELETING, USABLE, DSQLCluster, find_cluster
from estserver.deploy.rights.statements import ResourceRights, allow, our_tag


@dataclass(frozen=True)
class DatabaseCluster(Step[DSQLCluster | None]):
    """A cluster with deletion protection, encrypted with a key that AWS owns.

    A removal leaves it, unless a person has named it (`aws_destroy --with-database`).
    """

    deployment: Deployment
    name = "database cluster"

    def look(self) -> DSQLCluster | None:
        """Return the cluster with our tag. Raises ``OperatorError`` for several."""
        return find_cluster(self.deployment)

    def plan(self, seen: DSQLCluster | None) -> Plan:
        """Make the cluster, wait until it takes connections, and protect it."""
        if seen is None:
            # The token makes botocore's own repetition of a call harmless. A later run finds the
            # cluster by its tag.
            return Plan(
                (
                    Call(
                        "dsql",
                        "CreateCluster",
                        "there is no cluster with this installation's tag",
                        {
                            "deletionProtectionEnabled": True,
                            "tags": self.deployment.tags(),
                            "clientToken": str(uuid4()),
                        },
                    ),
                )
            )
        if seen.status in DELETING:
            return Plan(waiting=f"Aurora DSQL is deleting the cluster {seen.identifier}")
        if seen.status not in USABLE:
            return Plan(waiting=f"the cluster {seen.identifier} is {seen.status}")
        if not seen.is_protected:
            return Plan((self._protect(seen, True, "it can be deleted by mistake"),))
        return DONE

    def undo(self, seen: DSQLCluster | None) -> Plan:
        """Take the protection away, delete the cluster, and wait until it is gone."""
        if seen is None:
            return DONE
        if seen.status in DELETING:
            return Plan(waiting=f"Aurora DSQL is deleting the cluster {seen.identifier}")
        reason = f"the cluster {seen.identifier}, which was named to be deleted"
        delete = Call("dsql", "DeleteCluster", reason, {"identifier": seen.identifier})
        if not seen.is_protected:
            return Plan((delete,))
        return Plan((self._protect(seen, False, "it is protected from deletion"), delete))

    def _protect(self, seen: DSQLCluster, wanted: bool, reason: str) -> Call:
        return Call(
            "dsql",
            "UpdateCluster",
            reason,
            {"identifier": seen.identifier, "deletionProtectionEnabled": wanted},
        )


def rights(deployment: Deployment) -> ResourceRights:
    """Return the rights to this installation's cluster.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_dsql.html
    AWS chooses a cluster's id when it makes the cluster, so that its tag tells it from others. The
    first cluster of an account brings the service's own role:
    https://docs.aws.amazon.com/aurora-dsql/latest/userguide/working-with-service-linked-roles.html
    """
    clusters = deployment.arn("dsql", "cluster/*")
    linked = "aws-service-role/dsql.amazonaws.com/AWSServiceRoleForAuroraDsql"
    return ResourceRights(
        look=["dsql:ListClusters"],
        deploy=[
            # Whose a cluster is shows its tag, which therefore is read of all.
            allow("ReadClusterTags", ["dsql:ListTagsForResource"], clusters),
            allow(
                "MakeCluster",
                ["dsql:CreateCluster", "dsql:TagResource"],
                clusters,
                our_tag(deployment, "aws:RequestTag"),
            ),
            allow(
                "UseCluster",
                ["dsql:DbConnectAdmin", "dsql:GetCluster", "dsql:UpdateCluster"],
                clusters,
                our_tag(deployment, "aws:ResourceTag"),
            ),
            allow(
                "MakeClusterServiceRole",
                ["iam:CreateServiceLinkedRole"],
                deployment.role_arn(linked),
                {"StringEquals": {"iam:AWSServiceName": "dsql.amazonaws.com"}},
            ),
        ],
        remove=[
            allow(
                "RemoveCluster",
                ["dsql:DeleteCluster"],
                clusters,
                our_tag(deployment, "aws:ResourceTag"),
            )
        ],
    )
