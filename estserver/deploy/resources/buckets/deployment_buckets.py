"""Which buckets a deployment has, and the rights to them."""

from estserver.deploy.deployment import Deployment
from estserver.deploy.resources.buckets.bucket import Bucket
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
    ]


def rights(deployment: Deployment) -> ResourceRights:
    """Return the rights to the buckets and to what is in them."""
    arns = [f"arn:{deployment.partition}:s3:::{each.bucket}" for each in buckets(deployment)]
    objects = [f"{arn}/*" for arn in arns]
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
        ],
        remove=[
            allow("RemoveBuckets", ["s3:DeleteBucket"], arns),
            allow("EmptyBuckets", ["s3:DeleteObjectVersion"], objects),
        ],
    )
