"""Whether the key that `databaseKmsKeyArn` names can encrypt a cluster of Aurora DSQL."""

from estserver.deploy.deployment import Deployment
from estserver.deploy.engine.calls import ask_if_any
from pki.operators.errors import RemoteFailure

_ARN_REGION = 3


def database_key_problem(deployment: Deployment) -> str:
    """Return why Aurora DSQL cannot use the key, as a phrase; "" if it can, or if none is named.

    What the key's policy lets Aurora DSQL do is not looked at. That it is symmetric is AWS's rule:
    https://docs.aws.amazon.com/aurora-dsql/latest/userguide/data-encryption.html
    """
    arn = deployment.config.properties.database_kms_key_arn
    if not arn:
        return ""
    if (region := arn.split(":")[_ARN_REGION]) != deployment.region:
        return (
            f"databaseKmsKeyArn is a key of {region}, and the cluster is in {deployment.region} "
            "(name a key of that region)"
        )
    try:
        found = ask_if_any("kms", "DescribeKey", KeyId=arn)
    except RemoteFailure as error:
        return f"databaseKmsKeyArn cannot be looked at: {str(error).rstrip('.')}"
    if found is None:
        return f"databaseKmsKeyArn is {arn}, and KMS has no such key (make it, or correct the ARN)"
    key = found["KeyMetadata"]
    if key.get("KeyState") != "Enabled":
        return f"databaseKmsKeyArn is {key.get('KeyState')} (enable the key, or name another)"
    usage = key.get("KeyUsage") or "ENCRYPT_DECRYPT"  # the default of CreateKey
    if key.get("KeySpec") != "SYMMETRIC_DEFAULT" or usage != "ENCRYPT_DECRYPT":
        return (
            f"databaseKmsKeyArn is a key of {key.get('KeySpec')} for {usage}, and "
            "Aurora DSQL takes a symmetric one that encrypts (name another)"
        )
    return ""
