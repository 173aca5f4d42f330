"""Calls as the recorder wrote them, and the ARNs of what their parameters name."""

import json
from dataclasses import dataclass, field
from functools import cache

import botocore.session

PARTITION = "aws"
SUFFIX = "-a1B2c3"
"""What Secrets Manager adds to the name of a secret: six characters that it chooses."""


@dataclass(frozen=True)
class RecordedCall:
    """One call of boto3."""

    principal: str
    service: str
    operation: str
    region: str
    parameters: dict = field(hash=False)
    answer: object = field(default=None, hash=False)
    succeeded: bool = True

    @property
    def name(self):
        """``service:Operation``."""
        return f"{self.service}:{self.operation}"


def read(path):
    """The calls that a file of the recorder holds, in their order."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [RecordedCall(**json.loads(line)) for line in lines]


PATTERNS = {
    "acm": {"CertificateArn": "certificate/{}"},
    "backup": {
        "BackupVaultName": "backup-vault:{}",
        "BackupPlanId": "backup-plan:{}",
        "ResourceArn": "{}",
    },
    "cloudformation": {"StackName": "stack/{}/0a1b2c3d"},
    "cloudwatch": {"AlarmName": "alarm:{}", "AlarmNames": "alarm:{}", "ResourceARN": "{}"},
    "dsql": {"identifier": "cluster/{}", "resourceArn": "{}"},
    "events": {"Rule": "rule/{}", "Name": "rule/{}"},
    "iot": {
        "policyName": "policy/{}",
        "templateName": "provisioningtemplate/{}",
        "thingName": "thing/{}",
        "thingGroupName": "thinggroup/{}",
        "principal": "{}",
        "target": "{}",
    },
    "lambda": {"FunctionName": "function:{}", "Resource": "{}"},
    "sns": {"Name": "{}", "TopicArn": "{}", "ResourceArn": "{}"},
    "wafv2": {"WebACLArn": "{}", "ResourceArn": "{}", "ResourceARN": "{}"},
}
"""ARNs by service and parameter, from the region on. A value that is an ARN stays as it is."""


def arns(call, account):
    """The ARNs of what a call's parameters name, as far as they are the same in each account."""
    return [*_by_pattern(call, account), *SPECIAL.get(call.service, _nothing)(call, account)]


def _nothing(call, account):
    return []


def _by_pattern(call, account):
    for parameter, pattern in PATTERNS.get(call.service, {}).items():
        for value in _listed(call.parameters.get(parameter)):
            yield arn(call, account, call.service, pattern.format(value), value)


def arn(call, account, service, resource, value=""):
    """An ARN of the call's region; ``value``, if that is an ARN."""
    if value.startswith("arn:"):
        return value
    return f"arn:{PARTITION}:{service}:{call.region}:{account}:{resource}"


def _iot(call, account):
    kind = "cacert" if "CACertificate" in call.operation else "cert"
    if value := call.parameters.get("certificateId"):
        yield arn(call, account, "iot", f"{kind}/{value}")
    # moto answers a CA's ARN in the form of a device certificate's, which AWS IoT does not tag.
    for value in _listed(call.parameters.get("resourceArn")):
        yield value.replace(":cert/", ":cacert/")


def _cloudwatch(call, account):
    for value in _listed(
        call.parameters.get("DashboardName") or call.parameters.get("DashboardNames")
    ):
        yield f"arn:{PARTITION}:cloudwatch::{account}:dashboard/{value}"


def _iam(call, account):
    for parameter, kind in {"RoleName": "role", "UserName": "user"}.items():
        if value := call.parameters.get(parameter):
            yield f"arn:{PARTITION}:iam::{account}:{kind}/{value}"


def _logs(call, account):
    # Tagging takes the ARN without a star, and the other actions the one with it:
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html
    if value := call.parameters.get("logGroupName"):
        yield arn(call, account, "logs", f"log-group:{value}:*")
    yield from _listed(call.parameters.get("resourceArn"))


def _route53(call, account):
    if value := call.parameters.get("HostedZoneId"):
        yield f"arn:{PARTITION}:route53:::hostedzone/{value.rpartition('/')[2]}"


def _s3(call, account):
    if bucket := call.parameters.get("Bucket"):
        key = call.parameters.get("Key")
        yield f"arn:{PARTITION}:s3:::{bucket}" + (f"/{key}" if key else "")


def _sts(call, account):
    yield from _listed(call.parameters.get("RoleArn"))


def _wafv2(call, account):
    if name := call.parameters.get("Name"):
        acl_id = call.parameters.get("Id", "0a1b2c3d")
        scope = call.parameters["Scope"].lower()
        yield arn(call, account, "wafv2", f"{scope}/webacl/{name}/{acl_id}")


def _gateway(call, account):
    yield f"arn:{PARTITION}:apigateway:{call.region}::{gateway_path(call)}"


def gateway_path(call):
    """The path of a call to API Gateway, which is the resource of its action."""
    operation = _operation(call)
    path = operation.http["requestUri"].partition("?")[0].removeprefix("/v2").removesuffix("/")
    for member, shape in operation.input_shape.members.items():
        if shape.serialization.get("location") == "uri":
            value = str(call.parameters.get(member, ""))
            path = path.replace(f"{{{shape.serialization['name']}}}", value)
    return path


def gateway_method(call):
    """The HTTP method of a call to API Gateway, which is its action."""
    return _operation(call).http["method"]


@cache
def _model(service):
    return botocore.session.get_session().get_service_model(service)


def _operation(call):
    return _model(call.service).operation_model(call.operation)


SPECIAL = {
    "apigateway": _gateway,
    "apigatewayv2": _gateway,
    "cloudwatch": _cloudwatch,
    "iam": _iam,
    "iot": _iot,
    "logs": _logs,
    "route53": _route53,
    "s3": _s3,
    "sts": _sts,
    "wafv2": _wafv2,
}


def tags_in(parameters):
    """The tags that a request sets, in each of the shapes that services take."""
    for name in ("Tags", "tags", "TagList", "BackupPlanTags", "BackupVaultTags"):
        if found := parameters.get(name):
            if isinstance(found, dict):
                return dict(found)
            return {
                each.get("Key", each.get("TagKey", each.get("key"))): each.get(
                    "Value", each.get("TagValue", each.get("value"))
                )
                for each in found
            }
    return {}


def _listed(value):
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
