"""What the person who deploys must be allowed to do: for `zappa`, for our steps, for their removal.

Where a resource is ``*``, AWS knows no narrower one for that action, or names it only afterwards.
"""

from collections.abc import Iterator

from estserver.deploy.deployment import STAGES, Deployment
from estserver.deploy.rights.statements import Document, Statement, allow, document, our_tag
from iotprov.documents.role import registration_policy_arn

MANAGED_POLICY_CHARACTERS = 6144
"""How long a managed policy may be, without white space.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""


def deployer_policies(deployment: Deployment) -> dict[str, Document]:
    """The rights for `zappa deploy` and `update`, and for the aws_ commands but `aws_destroy`.

    Two policies by name: in one, names that are a little longer wouldn't fit a managed policy.
    """
    return {
        f"{deployment.project}-deploy-functions": document(
            [
                *_looking(deployment),
                *_buckets(deployment),
                *_roles(deployment),
                *_functions(deployment),
            ]
        ),
        f"{deployment.project}-deploy-gateway": document(
            [
                *_gateway(deployment),
                *_logs_and_alarms(deployment),
                *_secrets_key(deployment),
            ]
        ),
    }


def remover_policies(deployment: Deployment) -> dict[str, Document]:
    """The further rights for `aws_destroy`, as one policy by name."""
    statements = [*_removing(deployment), *_removing_keys(deployment), *_from_iot(deployment)]
    return {f"{deployment.project}-remove": document(statements)}


def _bucket_arns(deployment: Deployment) -> list[str]:
    names = (deployment.log_bucket, deployment.truststore_bucket, deployment.package_bucket)
    return [f"arn:{deployment.partition}:s3:::{name}" for name in names]


def _our_roles(deployment: Deployment) -> list[str]:
    names = [*(deployment.role(stage) for stage in STAGES), deployment.gateway_log_role]
    return [deployment.role_arn(name) for name in names]


def _all_roles(deployment: Deployment) -> list[str]:
    """Ours, and the one that JITP works with."""
    for_iot = deployment.config.properties.iot_provisioning_role_name
    return [*_our_roles(deployment), deployment.role_arn(for_iot)]


def _log_groups(deployment: Deployment) -> list[str]:
    return [
        deployment.arn("logs", f"log-group:{prefix}/{deployment.project}-*")
        for prefix in ("/aws/lambda", "/aws/apigateway")
    ]


def _looking(deployment: Deployment) -> Iterator[Statement]:
    actions = [
        "acm:DescribeCertificate",
        "cloudwatch:DescribeAlarms",
        "cloudwatch:ListTagsForResource",
        "events:ListRuleNamesByTarget",
        "kms:ListAliases",
        "logs:DescribeLogGroups",
        "route53:ListHostedZones",
        "wafv2:ListWebACLs",
    ]
    if deployment.config.deployment.vpc_subnet_ids:
        actions += ["ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"]
    yield allow("Look", actions, "*")


def _buckets(deployment: Deployment) -> Iterator[Statement]:
    arns = _bucket_arns(deployment)
    settings = (
        "BucketLogging",
        "BucketOwnershipControls",
        "BucketPolicy",
        "BucketPublicAccessBlock",
        "BucketTagging",
        "BucketVersioning",
        "EncryptionConfiguration",
        "LifecycleConfiguration",
    )
    yield allow(
        "Buckets",
        [
            *(f"s3:{verb}{setting}" for verb in ("Get", "Put") for setting in settings),
            "s3:CreateBucket",
            "s3:ListBucket",
            "s3:ListBucketVersions",
        ],
        arns,
    )
    yield allow(
        "Objects",
        [
            "s3:DeleteObject",
            "s3:GetObject",
            "s3:GetObjectVersion",
            "s3:PutObject",
        ],
        [f"{arn}/*" for arn in arns],
    )


def _roles(deployment: Deployment) -> Iterator[Statement]:
    yield allow(
        "Roles",
        [
            "iam:CreateRole",
            "iam:DeleteRolePolicy",
            "iam:DetachRolePolicy",
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
            "iam:ListRoleTags",
            "iam:PutRolePolicy",
            "iam:TagRole",
            "iam:UpdateAssumeRolePolicy",
        ],
        _all_roles(deployment),
    )
    if deployment.has_provisioning_role:
        # A policy of AWS's, and no other.
        yield allow(
            "LetIoTRegister",
            ["iam:AttachRolePolicy"],
            deployment.role_arn(deployment.config.properties.iot_provisioning_role_name),
            {"ArnEquals": {"iam:PolicyARN": registration_policy_arn(deployment.partition)}},
        )
    services = ["apigateway.amazonaws.com", "lambda.amazonaws.com"]
    yield allow(
        "HandOutRoles",
        ["iam:PassRole"],
        _our_roles(deployment),
        {"StringEquals": {"iam:PassedToService": services}},
    )


def _functions(deployment: Deployment) -> Iterator[Statement]:
    """Zappa's work; the admin's function is asked to run commands, too."""
    functions = [deployment.arn("lambda", f"function:{deployment.function(s)}") for s in STAGES]
    yield allow(
        "Functions",
        [
            "lambda:AddPermission",
            "lambda:CreateFunction",
            "lambda:DeleteFunctionConcurrency",
            "lambda:GetFunction",
            "lambda:GetFunctionConfiguration",
            "lambda:GetPolicy",
            "lambda:InvokeFunction",
            "lambda:ListFunctionUrlConfigs",
            "lambda:ListTags",
            "lambda:ListVersionsByFunction",
            "lambda:PublishVersion",
            "lambda:PutFunctionConcurrency",
            "lambda:RemovePermission",
            "lambda:TagResource",
            "lambda:UpdateFunctionCode",
            "lambda:UpdateFunctionConfiguration",
        ],
        [*functions, *(f"{function}:*" for function in functions)],
    )
    stacks = [
        deployment.arn("cloudformation", f"stack/{deployment.function(stage)}/*")
        for stage in STAGES
    ]
    yield allow(
        "Stacks",
        [
            "cloudformation:CreateStack",
            "cloudformation:DescribeStackResource",
            "cloudformation:DescribeStacks",
            "cloudformation:ListStackResources",
            "cloudformation:TagResource",
            "cloudformation:UpdateStack",
        ],
        stacks,
    )
    yield allow(
        "Schedules",
        [
            "events:DeleteRule",
            "events:DescribeRule",
            "events:ListTargetsByRule",
            "events:PutRule",
            "events:PutTargets",
            "events:RemoveTargets",
        ],
        deployment.arn("events", f"rule/{deployment.project}-*"),
    )


def _gateway(deployment: Deployment) -> Iterator[Statement]:
    """API Gateway names an API when it makes it, so its resources can't be told before."""
    # The star stands for nothing, too: each of these two is the collection with what is in it.
    paths = ("/account", "/domainnames*", "/restapis*", "/tags/*")
    yield allow(
        "Gateway",
        [
            "apigateway:DELETE",
            "apigateway:GET",
            "apigateway:PATCH",
            "apigateway:POST",
            "apigateway:PUT",
            "apigateway:SetWebACL",
        ],
        [deployment.gateway_arn(path) for path in paths],
    )
    yield allow(
        "Firewall",
        [
            "wafv2:AssociateWebACL",
            "wafv2:CreateWebACL",
            "wafv2:DisassociateWebACL",
            "wafv2:GetWebACL",
            "wafv2:GetWebACLForResource",
            "wafv2:ListTagsForResource",
            "wafv2:TagResource",
            "wafv2:UpdateWebACL",
        ],
        [
            deployment.arn("wafv2", f"regional/webacl/{deployment.web_acl}/*"),
            deployment.arn("wafv2", "regional/managedruleset/*/*"),
            deployment.gateway_arn("/restapis/*/stages/*"),
        ],
    )
    zone = deployment.config.deployment.hosted_zone_id or "*"
    yield allow(
        "Names",
        ["route53:ChangeResourceRecordSets", "route53:ListResourceRecordSets"],
        f"arn:{deployment.partition}:route53:::hostedzone/{zone}",
    )


def _logs_and_alarms(deployment: Deployment) -> Iterator[Statement]:
    yield allow(
        "Logs",
        [
            "logs:CreateLogGroup",
            "logs:DescribeLogStreams",
            "logs:FilterLogEvents",
            "logs:ListTagsForResource",
            "logs:PutRetentionPolicy",
            "logs:TagResource",
        ],
        _log_groups(deployment),
    )
    yield allow(
        "Alarms",
        ["cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm", "cloudwatch:TagResource"],
        deployment.arn("cloudwatch", f"alarm:{deployment.project}-*"),
    )


def _secrets_key(deployment: Deployment) -> Iterator[Statement]:
    """The key that secrets are encrypted with; the secrets are the function's to make."""
    making = ["kms:CreateKey", "kms:TagResource"]
    yield allow("MakeKey", making, "*", our_tag(deployment, "aws:RequestTag"))
    yield allow(
        "KeepKeys",
        [
            "kms:CreateAlias",
            "kms:DescribeKey",
            "kms:EnableKeyRotation",
            "kms:GetKeyRotationStatus",
            "kms:ListResourceTags",
        ],
        deployment.arn("kms", "key/*"),
        our_tag(deployment, "aws:ResourceTag"),
    )
    yield allow("NameKey", ["kms:CreateAlias"], deployment.arn("kms", deployment.key_alias))


def _removing(deployment: Deployment) -> Iterator[Statement]:
    buckets = _bucket_arns(deployment)
    yield allow("RemoveBuckets", ["s3:DeleteBucket"], buckets)
    yield allow("EmptyBuckets", ["s3:DeleteObjectVersion"], [f"{arn}/*" for arn in buckets])
    yield allow("RemoveRoles", ["iam:DeleteRole"], _all_roles(deployment))
    names = [deployment.function(stage) for stage in STAGES]
    yield allow(
        "RemoveFunctions",
        ["cloudformation:DeleteStack", "lambda:DeleteFunction"],
        [
            *(deployment.arn("cloudformation", f"stack/{name}/*") for name in names),
            *(deployment.arn("lambda", f"function:{name}") for name in names),
        ],
    )
    yield allow(
        "RemoveFirewall",
        ["wafv2:DeleteWebACL"],
        deployment.arn("wafv2", f"regional/webacl/{deployment.web_acl}/*"),
    )
    yield allow("RemoveLogs", ["logs:DeleteLogGroup"], _log_groups(deployment))


def _removing_keys(deployment: Deployment) -> Iterator[Statement]:
    """Keys and secrets that carry our tag; what doesn't is looked at as well, to find that out."""
    looking = ["kms:DescribeKey", "kms:ListResourceTags", "secretsmanager:DescribeSecret"]
    yield allow("LookAtSecrets", looking, "*")
    yield allow("RemoveNames", ["kms:DeleteAlias"], deployment.arn("kms", "alias/*"))
    yield allow(
        "RemoveSecrets",
        ["kms:DeleteAlias", "kms:ScheduleKeyDeletion", "secretsmanager:DeleteSecret"],
        [deployment.arn("kms", "key/*"), deployment.arn("secretsmanager", "secret:*")],
        our_tag(deployment, "aws:ResourceTag"),
    )


def _from_iot(deployment: Deployment) -> Iterator[Statement]:
    """`--with-iot`; everything else in AWS IoT is done by the admin's function."""
    values = deployment.config.properties
    yield allow("LookAtIoT", ["iot:ListCACertificates"], "*")
    yield allow(
        "RemoveFromIoT",
        [
            "iot:DeleteCACertificate",
            "iot:DeletePolicy",
            "iot:DeletePolicyVersion",
            "iot:DeleteProvisioningTemplate",
            "iot:DescribeProvisioningTemplate",
            "iot:DetachPolicy",
            "iot:GetPolicy",
            "iot:ListPolicyVersions",
            "iot:ListTagsForResource",
            "iot:ListTargetsForPolicy",
            "iot:UpdateCACertificate",
        ],
        [
            deployment.arn("iot", "cacert/*"),
            deployment.arn("iot", "cert/*"),
            deployment.arn("iot", f"policy/{values.iot_policy_name}"),
            deployment.arn("iot", f"provisioningtemplate/{values.iot_template_name}"),
        ],
    )
