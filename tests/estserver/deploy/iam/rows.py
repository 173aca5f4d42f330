"""Operations that the rule does not fit: what AWS names otherwise, or asks in addition."""

from tests.estserver.deploy.iam import reference
from tests.estserver.deploy.iam.calls import PARTITION, arn, arns, tags_in
from tests.estserver.deploy.iam.gateway_rows import first_domain, gateway, stack
from tests.estserver.deploy.iam.rule import RENAMED, NoRow, by_rule, pass_role

# S3


def _s3(call, account):
    action = RENAMED.get(call.name, call.name)
    if call.operation in ("GetObject", "HeadObject") and call.parameters.get("VersionId"):
        action = "s3:GetObjectVersion"
    if not reference.has_action(action):
        raise NoRow(f"{call.name}: there is no action {action}")
    yield action, (["*"] if action == "s3:ListAllMyBuckets" else arns(call, account.number))[0], {}
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
    if call.operation == "PutObject" and call.parameters.get("ObjectLockMode"):
        yield "s3:PutObjectRetention", arns(call, account.number)[0], {}


def _s3_create_bucket(call, account):
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
    (bucket,) = arns(call, account.number)
    yield "s3:CreateBucket", bucket, {}
    if call.parameters.get("ObjectLockEnabledForBucket"):
        yield "s3:PutBucketObjectLockConfiguration", bucket, {}
        yield "s3:PutBucketVersioning", bucket, {}
    if call.parameters.get("ObjectOwnership"):
        yield "s3:PutBucketOwnershipControls", bucket, {}


def _s3_delete_objects(call, account):
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
    (bucket,) = arns(call, account.number)
    for each in call.parameters["Delete"]["Objects"]:
        action = "DeleteObjectVersion" if each.get("VersionId") else "DeleteObject"
        yield f"s3:{action}", f"{bucket}/{each['Key']}", {}
        if call.parameters.get("BypassGovernanceRetention"):
            yield "s3:BypassGovernanceRetention", f"{bucket}/{each['Key']}", {}


# KMS and Secrets Manager


def _kms(call, account):
    parameters, keys = call.parameters, []
    for name in ("KeyId", "TargetKeyId"):
        if value := parameters.get(name):
            keys.append(account.key_arn(call, value))
    if call.operation in ("CreateKey", "ListAliases", "ListKeys"):
        yield call.name, "*", {}
    if call.operation == "CreateKey" and tags_in(parameters):
        # https://docs.aws.amazon.com/kms/latest/developerguide/tag-permissions.html
        new = call.answer["KeyId"] if call.answer else "new"
        yield "kms:TagResource", arn(call, account.number, "kms", f"key/{new}"), {}
    if call.operation == "DeleteAlias":
        keys.append(account.key_arn(call, parameters["AliasName"]))
    # Without a key there is no ARN to ask IAM about; KMS answers that there is none.
    for key in filter(None, keys):
        yield call.name, key, {}
    if "AliasName" in parameters:
        # https://docs.aws.amazon.com/kms/latest/developerguide/alias-access.html
        yield call.name, arn(call, account.number, "kms", parameters["AliasName"]), {}


def _secrets_manager(call, account):
    if call.operation == "ListSecrets":
        yield call.name, "*", {}
        return
    secret = call.parameters.get("SecretId") or call.parameters["Name"]
    resource = account.secret_arn(call, secret)
    yield call.name, resource, {}
    if tags_in(call.parameters) and call.operation != "TagResource":
        yield "secretsmanager:TagResource", resource, {}
    # https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
    through = {"kms:ViaService": f"secretsmanager.{call.region}.amazonaws.com"}
    key = account.secrets.get((call.region, secret), "")
    if given := call.parameters.get("KmsKeyId"):
        key = account.key_arn(call, given)
    uses = {
        "GetSecretValue": ("Decrypt",),
        "CreateSecret": ("Decrypt", "GenerateDataKey"),
        "PutSecretValue": ("Decrypt", "GenerateDataKey"),
    }
    for use in uses.get(call.operation, ()) if key else ():
        yield f"kms:{use}", key, through


# The rest


def _with_role(name, service):
    """A row for an operation that hands the role in a parameter to a service."""

    def added(call, account):
        role = call.parameters.get(name)
        if isinstance(role, dict):
            role = role.get("roleArn") or role.get("IamRoleArn")
        if role:
            yield pass_role(role, service)

    return added


def _create_function(call, account):
    # https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
    if role := call.parameters.get("Role"):
        yield pass_role(role, "lambda.amazonaws.com")
    code = call.parameters.get("Code", call.parameters)
    if code.get("S3Bucket"):
        yield "s3:GetObject", f"arn:{PARTITION}:s3:::{code['S3Bucket']}/{code['S3Key']}", {}
    # https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
    if (call.parameters.get("VpcConfig") or {}).get("SubnetIds"):
        for what in ("SecurityGroups", "Subnets", "Vpcs"):
            yield f"ec2:Describe{what}", "*", {}


def _attach_role_policy(call, account):
    (role,) = arns(call, account.number)
    yield call.name, role, {"iam:PolicyARN": call.parameters["PolicyArn"]}


def _web_acl(call, account):
    yield from by_rule(call, account)
    # https://docs.aws.amazon.com/waf/latest/developerguide/security_iam_service-with-iam.html
    for rule in call.parameters.get("Rules", []):
        if group := rule["Statement"].get("ManagedRuleGroupStatement"):
            name = f"regional/managedruleset/{group['VendorName']}/{group['Name']}"
            yield call.name, arn(call, account.number, "wafv2", name), {}


def _guard_stage(call, account):
    # https://docs.aws.amazon.com/waf/latest/APIReference/API_AssociateWebACL.html
    yield "apigateway:SetWebACL", call.parameters["ResourceArn"], {}


def _list_tags(call, account):
    yield call.name, call.parameters["resourceArn"].removesuffix(":*"), {}


OF_SERVICE = {
    "apigateway": gateway,
    "apigatewayv2": gateway,
    "kms": _kms,
    "s3": _s3,
    "secretsmanager": _secrets_manager,
}
"""Rows for every operation of a service."""
OF_OPERATION = {
    "cloudformation:CreateStack": stack,
    "cloudformation:DeleteStack": stack,
    "cloudformation:UpdateStack": stack,
    "iam:AttachRolePolicy": _attach_role_policy,
    "iam:DetachRolePolicy": _attach_role_policy,
    "logs:ListTagsForResource": _list_tags,
    "s3:CreateBucket": _s3_create_bucket,
    "s3:DeleteObjects": _s3_delete_objects,
    "wafv2:CreateWebACL": _web_acl,
    "wafv2:UpdateWebACL": _web_acl,
}
"""Rows in place of the service's, or of the rule."""
ADDED = {
    "apigateway:CreateDomainName": first_domain,
    # https://docs.aws.amazon.com/aws-backup/latest/devguide/API_CreateBackupSelection.html
    "backup:CreateBackupSelection": _with_role("BackupSelection", "backup.amazonaws.com"),
    "iot:CreateProvisioningTemplate": _with_role("provisioningRoleArn", "iot.amazonaws.com"),
    "iot:UpdateProvisioningTemplate": _with_role("provisioningRoleArn", "iot.amazonaws.com"),
    "iot:RegisterCACertificate": _with_role("registrationConfig", "iot.amazonaws.com"),
    "iot:UpdateCACertificate": _with_role("registrationConfig", "iot.amazonaws.com"),
    "lambda:CreateFunction": _create_function,
    "lambda:UpdateFunctionCode": _create_function,
    "lambda:UpdateFunctionConfiguration": _create_function,
    "wafv2:AssociateWebACL": _guard_stage,
    "wafv2:DisassociateWebACL": _guard_stage,
}
"""Rows in addition to those."""
