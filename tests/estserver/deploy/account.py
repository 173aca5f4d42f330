"""An AWS account as Zappa leaves it, and what stands in for time and the screen."""

import io
import json
import zipfile
from pathlib import Path

from estserver.config.rule_names import HOURLY, MINUTELY, rule_name
from pki.aws.clients import aws_client
from pki.record.audit_trail import Actor

ACCOUNT = "123456789012"
REGION = "eu-central-1"
ACM = f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate"
DOMAIN = "est.example.com"
TESTER = Actor("test")
WITHOUT_DATABASE = f"""
Properties:
  apiCustomDomainName: {DOMAIN}
  apiCertificateArn: {ACM}/est
  adminDomainName: admin.example.com
  adminCertificateArn: {ACM}/admin
  deviceCaSigner: secretsmanager
  signers:
    secretsmanager: {{BACKEND: pki.signers.secretsmanager.SecretsManagerSigner}}
DeploymentOptions:
  tags:
    - {{key: CostCenter, value: Factory}}
"""
DATABASE = "  databaseUrl: postgresql://db.example.com/est\n"
CONFIG = WITHOUT_DATABASE.replace("Properties:\n", f"Properties:\n{DATABASE}", 1)
"""The usual one. Its database is there, so that a deployment makes none."""


class FakeClock:
    """Time that passes only when somebody sleeps."""

    def __init__(self):
        self.time = 0.0
        self.slept = []

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.time += seconds


class Recorder:
    """Where progress is printed to."""

    def __init__(self):
        self.lines = []

    def __call__(self, line):
        self.lines.append(line)

    @property
    def text(self):
        return "\n".join(self.lines)


def zappa_deploy(deployment, stage):
    """What `zappa deploy` leaves: function, stack with an API, a deployed stage. The API's id."""
    import moto.cloudformation.parsing  # noqa: F401 - else the first stack waits for all of moto

    name = deployment.function(stage)
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("handler.py", "")
    aws_client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=deployment.role_arn(deployment.role(stage)),
        Handler="handler.lambda_handler",
        Code={"ZipFile": package.getvalue()},
        Environment={"Variables": {"DATABASE_URL": "postgresql://est:hunter2@db/est"}},
    )
    api = {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": name}}
    cloudformation = aws_client("cloudformation")
    cloudformation.create_stack(
        StackName=name, TemplateBody=json.dumps({"Resources": {"Api": api}})
    )
    api_id = cloudformation.describe_stack_resource(StackName=name, LogicalResourceId="Api")[
        "StackResourceDetail"
    ]["PhysicalResourceId"]
    gateway = aws_client("apigateway")
    root = {"restApiId": api_id, "httpMethod": "ANY"}
    root["resourceId"] = gateway.get_resources(restApiId=api_id)["items"][0]["id"]
    gateway.put_method(**root, authorizationType="NONE")
    gateway.put_integration(**root, type="MOCK")
    aws_client("apigateway").create_deployment(restApiId=api_id, stageName=stage)
    if stage == "admin":
        _schedule(deployment)
    return api_id


def _schedule(deployment):
    """The rules that Zappa makes of ``events``."""
    events = aws_client("events")
    function = deployment.arn("lambda", f"function:{deployment.function('admin')}")
    for path, expression in ((MINUTELY, "rate(1 minute)"), (HOURLY, "rate(1 hour)")):
        name = rule_name(deployment.project, path)
        events.put_rule(Name=name, ScheduleExpression=expression, State="ENABLED")
        events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": function}])


def upload(deployment, stage, content):
    """What `zappa update` does to a function's code; it publishes a version each time."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("handler.py", content)
    aws_client("lambda").update_function_code(
        FunctionName=deployment.function(stage), ZipFile=package.getvalue(), Publish=True
    )


def rest_api(api_id):
    """An API's own settings."""
    return aws_client("apigateway").get_rest_api(restApiId=api_id)


def stage(api_id, name):
    """A stage of an API."""
    return aws_client("apigateway").get_stage(restApiId=api_id, stageName=name)


def world(client=aws_client):
    """What an account holds of the kinds that we make."""
    gateway = client("apigateway")
    zones = client("route53").list_hosted_zones()["HostedZones"]
    return {
        "buckets": [b["Name"] for b in client("s3").list_buckets()["Buckets"]],
        "roles": [r["RoleName"] for r in client("iam").list_roles()["Roles"]],
        "aliases": [a["AliasName"] for a in client("kms").list_aliases()["Aliases"]],
        "domains": [d["domainName"] for d in gateway.get_domain_names().get("items", [])],
        "account": gateway.get_account().get("cloudwatchRoleArn") or None,
        "functions": client("lambda").list_functions()["Functions"],
        "stacks": [
            s["StackName"]
            for s in client("cloudformation").list_stacks()["StackSummaries"]
            if s["StackStatus"] != "DELETE_COMPLETE"
        ],
        "logs": [g["logGroupName"] for g in client("logs").describe_log_groups()["logGroups"]],
        "waf": client("wafv2").list_web_acls(Scope="REGIONAL")["WebACLs"],
        "alarms": client("cloudwatch").describe_alarms()["MetricAlarms"],
        "dashboards": client("cloudwatch").list_dashboards()["DashboardEntries"],
        "topics": client("sns").list_topics()["Topics"],
        "records": [
            (record["Name"], record["Type"])
            for zone in zones
            for record in client("route53").list_resource_record_sets(HostedZoneId=zone["Id"])[
                "ResourceRecordSets"
            ]
        ],
    }


def golden(name):
    """A reviewed document."""
    return json.loads((Path(__file__).parent / "golden" / name).read_text(encoding="utf-8"))
