"""The cluster of Aurora DSQL that holds the CA's record.

https://docs.aws.amazon.com/aurora-dsql/latest/APIReference/API_CreateCluster.html
"""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

from estserver.deploy.deployment import Deployment
from estserver.deploy.engine.calls import Call
from estserver.deploy.engine.steps import DONE, Plan, Step
from estserver.deploy.rights.dsql_cluster import DELETING, USABLE, DSQLCluster, find_cluster
from estserver.deploy.rights.statements import ResourceRights, Statement, allow, our_tag
from pki.operators.errors import OperatorError

AWS_OWNED = "AWS_OWNED_KMS_KEY"
KEY_INACCESSIBLE = "KMS_KEY_INACCESSIBLE"
"""https://docs.aws.amazon.com/aurora-dsql/latest/userguide/data-encryption.html"""


@dataclass(frozen=True)
class DatabaseCluster(Step[DSQLCluster | None]):
    """A cluster with deletion protection, encrypted with ``databaseKmsKeyArn`` or AWS's own key.

    A removal leaves it, unless a person has named it (`aws_destroy --with-database`).
    """

    deployment: Deployment
    name = "database cluster"

    def look(self) -> DSQLCluster | None:
        """Return the cluster with our tag. Raises ``OperatorError`` for several."""
        return find_cluster(self.deployment)

    def plan(self, seen: DSQLCluster | None) -> Plan:
        """Make the cluster, wait until it takes connections, protect it, and change its key.

        Raises ``OperatorError`` while Aurora DSQL cannot use the key.
        """
        wanted = self.deployment.config.properties.database_kms_key_arn
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
                            **({"kmsEncryptionKey": wanted} if wanted else {}),
                            "tags": self.deployment.tags(),
                            "clientToken": str(uuid4()),
                        },
                    ),
                )
            )
        if seen.status in DELETING:
            return Plan(waiting=f"Aurora DSQL is deleting the cluster {seen.identifier}")
        if seen.encryption == KEY_INACCESSIBLE and seen.key_arn == wanted:
            raise OperatorError(
                f"Aurora DSQL cannot use the key {seen.key_arn}. Until it can, nobody can connect "
                f"to the cluster {seen.identifier}. Enable the key, and give it the policy in "
                "docs/databases.md. The cluster is back within 15 minutes."
            )
        if seen.status not in USABLE:
            return Plan(waiting=f"the cluster {seen.identifier} is {seen.status}")
        calls = []
        if not seen.is_protected:
            calls.append(self._protect(seen, True, "it can be deleted by mistake"))
        if seen.key_arn != wanted:
            calls.append(self._encrypt(seen, wanted))
        return Plan(tuple(calls))

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

    def _encrypt(self, seen: DSQLCluster, key_arn: str) -> Call:
        held = seen.key_arn or "a key that AWS owns"
        return Call(
            "dsql",
            "UpdateCluster",
            f"it is encrypted with {held}, and {key_arn or 'a key that AWS owns'} is wanted",
            {"identifier": seen.identifier, "kmsEncryptionKey": key_arn or AWS_OWNED},
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
            *_key_rights(deployment),
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


def _key_rights(deployment: Deployment) -> Iterator[Statement]:
    """Yield the rights to the customer's key. Whoever chooses a key for Aurora DSQL needs them.

    https://docs.aws.amazon.com/aurora-dsql/latest/userguide/data-encryption.html
    """
    if key_arn := deployment.config.properties.database_kms_key_arn:
        yield allow("LookAtDatabaseKey", ["kms:DescribeKey"], key_arn)
        yield allow(
            "ChooseDatabaseKey",
            [
                "kms:Decrypt",
                "kms:Encrypt",
                "kms:GenerateDataKey",
                "kms:ReEncryptFrom",
                "kms:ReEncryptTo",
            ],
            key_arn,
            {"StringEquals": {"kms:ViaService": f"dsql.{deployment.region}.amazonaws.com"}},
        )
