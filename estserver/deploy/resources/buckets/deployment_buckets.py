"""Which buckets a deployment has, and the rights to them."""

from estserver.deploy.deployment import Deployment
from estserver.deploy.resources.buckets.bucket import Bucket
from estserver.deploy.resources.buckets.locked_bucket import LockedBucket
from estserver.deploy.rights.statements import ResourceRights, allow

_SETTINGS = (
    "BucketLogging",
    "BucketOwnershipControls",
    "BucketPolicy",
    "BucketPublicAccessBlock",
    "BucketTagging",
    "BucketVersioning",
    "EncryptionConfiguration",
    "LifecycleConfiguration",
)
"""What `Bucket` reads and sets, as IAM's actions name it."""


def buckets(deployment: Deployment) -> list[Bucket]:
    """Return the buckets, the one for the others' logs first."""
    logs = deployment.log_bucket
    return [
        Bucket(
            deployment,
            logs,
            "S3 log",
            keeps_days=deployment.config.deployment.log_retention_days,
            takes_logs=True,
        ),
        Bucket(
            deployment,
            deployment.truststore_bucket,
            "truststore",
            is_versioned=True,
            logs_to=logs,
        ),
        Bucket(deployment, deployment.package_bucket, "package", logs_to=logs, keeps_days=30),
        audit_heads_bucket(deployment),
    ]


def audit_heads_bucket(deployment: Deployment) -> LockedBucket:
    """Return the bucket of the audit trail's heads, which outlives the deployment."""
    days = deployment.config.deployment.audit_heads_retention_days
    return LockedBucket(
        deployment,
        deployment.audit_heads_bucket,
        "audit heads",
        is_versioned=True,
        logs_to=deployment.log_bucket,
        keeps_days=days,
        locks_days=days,
    )


def rights(deployment: Deployment) -> ResourceRights:
    """Return the rights to the buckets and to what is in them.

    A function may put the audit trail's heads into their bucket, and do nothing else there. Only
    the person who removes an installation may go round the lock.
    """

    def arn(bucket: str) -> str:
        return f"arn:{deployment.partition}:s3:::{bucket}"

    arns = [arn(each.bucket) for each in buckets(deployment)]
    heads = arn(deployment.audit_heads_bucket)
    objects = [f"{each}/*" for each in arns if each != heads]
    return ResourceRights(
        deploy=[
            allow(
                "Buckets",
                [
                    *(f"s3:{verb}{setting}" for verb in ("Get", "Put") for setting in _SETTINGS),
                    "s3:CreateBucket",
                    "s3:ListBucket",
                    "s3:ListBucketVersions",
                ],
                arns,
            ),
            allow(
                "Objects",
                ["s3:DeleteObject", "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"],
                objects,
            ),
            allow(
                "LockAuditHeads",
                ["s3:GetBucketObjectLockConfiguration", "s3:PutBucketObjectLockConfiguration"],
                heads,
            ),
            allow("ReadAuditHeads", ["s3:GetObject"], f"{heads}/*"),
        ],
        remove=[
            allow("RemoveBuckets", ["s3:DeleteBucket"], arns),
            allow("EmptyBuckets", ["s3:DeleteObjectVersion"], objects),
            allow(
                "EmptyAuditHeads",
                ["s3:BypassGovernanceRetention", "s3:DeleteObject", "s3:DeleteObjectVersion"],
                f"{heads}/*",
            ),
        ],
        functions={"admin": [allow("WriteAuditHeads", ["s3:PutObject"], f"{heads}/*")]},
    )
