"""What IAM is asked about calls to API Gateway, and to CloudFormation, whose stacks hold its APIs.

API Gateway: actions are HTTP's methods, and resources are paths.
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-iam-policy-examples.html
"""

from urllib.parse import quote

from tests.estserver.deploy.iam.calls import PARTITION, RecordedCall, arns, gateway_method, tags_in
from tests.estserver.deploy.iam.rule import NoRow, by_rule, pass_role


def gateway(call, account):
    """Yield the requests of a call to API Gateway."""
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


def first_domain(call, account):
    """Yield the request for the service's own role, which an account's first domain brings."""
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/using-service-linked-roles.html
    service = "ops.apigateway.amazonaws.com"
    role = f"aws-service-role/{service}/AWSServiceRoleForAPIGateway"
    resource = f"arn:{PARTITION}:iam::{account.number}:role/{role}"
    yield "iam:CreateServiceLinkedRole", resource, {"iam:AWSServiceName": service}


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


def stack(call, account):
    """Yield the requests of a call to CloudFormation, and those for what is in the stack."""
    yield from by_rule(call, account)
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
            yield from gateway(inner, account)
