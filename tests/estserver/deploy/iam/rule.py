"""The rule: an action has the operation's name, and its resources are what the parameters name.

The tables are the exceptions that need no code, each with AWS's page.
"""

from tests.estserver.deploy.iam import reference
from tests.estserver.deploy.iam.calls import arn, arns, tags_in


class NoRow(Exception):
    """An operation whose action or resource is not known; it needs a row in rows.py."""


RENAMED = {
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "s3:PutObjectLockConfiguration": "s3:PutBucketObjectLockConfiguration",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:ListObjects": "s3:ListBucket",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:HeadObject": "s3:GetObject",
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:UploadPart": "s3:PutObject",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    # https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
    "lambda:Invoke": "lambda:InvokeFunction",
    # https://docs.aws.amazon.com/iot/latest/apireference/API_ListPrincipalThingsV2.html
    "iot:ListPrincipalThingsV2": "iot:ListPrincipalThings",
}
OF_EVERYTHING = {
    "cloudwatch:DescribeAlarms",
    "lambda:ListFunctions",
    "logs:DescribeLogGroups",
    "secretsmanager:ListSecrets",
    "s3:ListBuckets",
}
"""Operations that list, and whose action must be allowed on ``*`` when no parameter names one."""

MADE = {
    # https://docs.aws.amazon.com/iot/latest/apireference/API_RegisterCACertificate.html
    "iot:RegisterCACertificate": "cacert/0a1b2c3d",
    # https://docs.aws.amazon.com/aurora-dsql/latest/APIReference/API_CreateCluster.html
    "dsql:CreateCluster": "cluster/0a1b2c3d",
    # https://docs.aws.amazon.com/aws-backup/latest/devguide/API_CreateBackupPlan.html
    "backup:CreateBackupPlan": "backup-plan:0a1b2c3d",
}
"""What an operation makes under an id that the service chooses, so that no parameter names it."""


def by_rule(call, account):
    """Yield the requests of a call by the rule: action, resource, and more of the context."""
    action = RENAMED.get(call.name, call.name)
    if not reference.has_action(action):
        raise NoRow(f"{call.name}: there is no action {action}")
    types = reference.resource_types(action)
    found = [each for each in arns(call, account.number) if reference.takes(action, each)]
    if types and not found and call.name in MADE:
        found = [arn(call, account.number, call.service, MADE[call.name])]
    if types and not found and call.name not in OF_EVERYTHING:
        raise NoRow(f"{call.name}: {action} takes {sorted(types)}, of {sorted(call.parameters)}")
    for resource in found if types and found else ["*"]:
        yield action, resource, {}
        if tagging := _tagging(call, action):
            made = MADE.get(call.name, "")
            tagged = arn(call, account.number, call.service, made) if made else resource
            yield tagging, tagged.removesuffix(":*"), {}


def _tagging(call, action):
    """The action that a call with tags needs besides its own."""
    if not tags_in(call.parameters) or action.endswith((":TagResource", ":TagRole")):
        return ""
    tagging = "iam:TagRole" if call.service == "iam" else f"{call.service}:TagResource"
    return tagging if reference.has_action(tagging) else ""


def pass_role(role, service):
    """The right to hand a role to a service."""
    return "iam:PassRole", role, {"iam:PassedToService": service}
