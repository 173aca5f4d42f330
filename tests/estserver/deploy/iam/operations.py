"""What each call asks of IAM: actions, the resources that they are about, and the context.

By rule an action has the operation's name, and the resources are those that the parameters name.
The rows are what AWS names otherwise or asks in addition, each with AWS's page. An operation for
which neither is enough raises ``NoRow``.
"""

from urllib.parse import quote

from tests.estserver.deploy.iam import reference
from tests.estserver.deploy.iam.calls import (
    PARTITION,
    RecordedCall,
    arn,
    arns,
    gateway_method,
    tags_in,
)
from tests.estserver.deploy.iam.decisions import Request


class NoRow(Exception):
    """An operation whose action or resource is not known; it needs a row in this file."""


FREE = {"sts:GetCallerIdentity"}
"""Everybody may ask who they are.
https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
"""

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


def requests_of(call, account):
    """What IAM is asked about a call, in this account as it is before the call."""
    if call.name in FREE:
        return []
    row = ROWS.get(call.name) or _ROWS_OF_SERVICE.get(call.service) or _by_rule
    asked = [*row(call, account), *ADDED.get(call.name, _no_more)(call, account)]
    return [
        Request(action, resource, _context(call, account, action, resource, more), call.name)
        for action, resource, more in asked
    ]


def _no_more(call, account):
    return []


def _by_rule(call, account):
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


def _context(call, account, action, resource, more):
    tags = tags_in(call.parameters)
    held = account.tags.get(resource.removesuffix(":*"), {})
    keys = {
        **{f"aws:RequestTag/{key}": value for key, value in tags.items()},
        **{f"aws:ResourceTag/{key}": value for key, value in held.items()},
        **({"aws:TagKeys": sorted(tags)} if tags else {}),
        **_aliases(account, resource),
    }
    known = {k: v for k, v in keys.items() if reference.knows_key(action, k, resource)}
    common = {"aws:SecureTransport": "true", "aws:PrincipalAccount": account.number}
    if call.principal in account.functions:
        function = f"function:{call.principal}"
        common["lambda:SourceFunctionArn"] = arn(call, account.number, "lambda", function)
    return {**common, **known, **more}


def _aliases(account, resource):
    # https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-resource-aliases
    if ":kms:" not in resource or ":key/" not in resource:
        return {}
    aliases = account.aliases_of(resource)
    return {"kms:ResourceAliases": aliases} if aliases else {}


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


# API Gateway: actions are HTTP's methods, and resources are paths.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-iam-policy-examples.html


def _gateway(call, account):
    (resource,) = arns(call, account.number)
    yield f"apigateway:{gateway_method(call)}", resource, {}
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-tagging-iam-policy.html
    if tags_in(call.parameters) and gateway_method(call) == "POST":
        named = call.parameters.get("domainName") or "0a1b2c3d4e"
        tagged = quote(f"{resource}/{named}", safe="")
        yield "apigateway:PUT", f"arn:{PARTITION}:apigateway:{call.region}::/tags/{tagged}", {}
    paths = {each["path"] for each in call.parameters.get("patchOperations", [])}
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonapigatewaymanagement.html
    if call.parameters.get("mutualTlsAuthentication") or any(
        path.startswith("/mutualTlsAuthentication") for path in paths
    ):
        yield from _mutual_tls(call, account, resource)
    if call.parameters.get("policy") or "/policy" in paths:
        yield "apigateway:UpdateRestApiPolicy", resource, {}
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
    handed = [
        each["value"]
        for each in call.parameters.get("patchOperations", [])
        if each["path"] == "/cloudwatchRoleArn" and each["value"]
    ]
    for role in [*handed, *filter(None, [call.parameters.get("credentials")])]:
        yield pass_role(role, "apigateway.amazonaws.com")


def _mutual_tls(call, account, resource):
    # The truststore is read with the caller's rights:
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-mutual-tls.html
    changes = {each["path"]: each["value"] for each in call.parameters.get("patchOperations", [])}
    removes = changes.get("/mutualTlsAuthentication/truststoreUri") == ""
    action = "RemoveCertificateFromDomain" if removes else "AddCertificateToDomain"
    yield f"apigateway:{action}", resource, {}
    given = call.parameters.get("mutualTlsAuthentication", {}).get("truststoreUri", "")
    if uri := given or changes.get("/mutualTlsAuthentication/truststoreUri", ""):
        for action in ("GetObject", "GetObjectVersion"):
            yield f"s3:{action}", f"arn:{PARTITION}:s3:::{uri.removeprefix('s3://')}", {}


def _first_domain(call, account):
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/using-service-linked-roles.html
    service = "ops.apigateway.amazonaws.com"
    role = f"aws-service-role/{service}/AWSServiceRoleForAPIGateway"
    resource = f"arn:{PARTITION}:iam::{account.number}:role/{role}"
    yield "iam:CreateServiceLinkedRole", resource, {"iam:AWSServiceName": service}


def pass_role(role, service):
    """The right to hand a role to a service."""
    return "iam:PassRole", role, {"iam:PassedToService": service}


# CloudFormation, which makes a stack's resources with the rights of the caller.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/control-access-with-iam.html

STACKED = {
    "AWS::ApiGateway::RestApi": [("CreateRestApi", {"name": "api"}), ("GetRestApi", {})],
    "AWS::ApiGateway::Resource": [
        ("CreateResource", {"parentId": "p", "pathPart": "x"}),
        ("GetResource", {"resourceId": "r"}),
    ],
    "AWS::ApiGateway::Method": [
        ("PutMethod", {"resourceId": "r", "httpMethod": "ANY"}),
        ("PutIntegration", {"resourceId": "r", "httpMethod": "ANY"}),
        ("GetMethod", {"resourceId": "r", "httpMethod": "ANY"}),
    ],
}
UNSTACKED = {
    "AWS::ApiGateway::RestApi": [("DeleteRestApi", {})],
    "AWS::ApiGateway::Resource": [("DeleteResource", {"resourceId": "r"})],
    "AWS::ApiGateway::Method": [("DeleteMethod", {"resourceId": "r", "httpMethod": "ANY"})],
}


def _stack(call, account):
    yield from _by_rule(call, account)
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
    if url := call.parameters.get("TemplateURL"):
        path = url.partition("://")[2].partition("/")[2]
        named = url.partition("://")[2].partition(".s3")[0]
        is_in_path = not url.partition("://")[2].startswith(f"{named}.s3")
        where = path if is_in_path else f"{named}/{path}"
        yield "s3:GetObject", f"arn:{PARTITION}:s3:::{where}", {}
    made = UNSTACKED if call.operation == "DeleteStack" else STACKED
    template = account.templates.get(call.parameters["StackName"].split("/")[0], {})
    for each in template.get("Resources", {}).values():
        if each["Type"] not in made:
            raise NoRow(f"{call.name}: a stack with {each['Type']}")
        for operation, parameters in made[each["Type"]]:
            given = {"restApiId": "0a1b2c3d4e", **parameters}
            integration = each.get("Properties", {}).get("Integration", {})
            if operation == "PutIntegration" and "Credentials" in integration:
                given["credentials"] = integration["Credentials"]
            if operation == "CreateRestApi":
                given["tags"] = tags_in(call.parameters)
            inner = RecordedCall(call.principal, "apigateway", operation, call.region, given)
            yield from _gateway(inner, account)


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
    yield from _by_rule(call, account)
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


_ROWS_OF_SERVICE = {
    "apigateway": _gateway,
    "apigatewayv2": _gateway,
    "kms": _kms,
    "s3": _s3,
    "secretsmanager": _secrets_manager,
}
ROWS = {
    "cloudformation:CreateStack": _stack,
    "cloudformation:DeleteStack": _stack,
    "cloudformation:UpdateStack": _stack,
    "iam:AttachRolePolicy": _attach_role_policy,
    "iam:DetachRolePolicy": _attach_role_policy,
    "logs:ListTagsForResource": _list_tags,
    "s3:CreateBucket": _s3_create_bucket,
    "s3:DeleteObjects": _s3_delete_objects,
    "wafv2:CreateWebACL": _web_acl,
    "wafv2:UpdateWebACL": _web_acl,
}
ADDED = {
    "apigateway:CreateDomainName": _first_domain,
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
"""Requests in addition to those of the rule."""
