"""Log groups whose lines are deleted after a time, and API Gateway's access log."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from estserver.deploy.deployment import Deployment, StageName
from estserver.deploy.engine.calls import Call, ask, ask_all
from estserver.deploy.engine.steps import DONE, Plan, Step
from estserver.deploy.rights.statements import ResourceRights, allow
from estserver.deploy.zappa.stage import api_id_of

# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html
ACCESS_LOG_FIELDS: Mapping[str, str] = {
    "time": "$context.requestTimeEpoch",
    "requestId": "$context.requestId",
    "extendedRequestId": "$context.extendedRequestId",
    "domain": "$context.domainName",
    "stage": "$context.stage",
    "sourceIp": "$context.identity.sourceIp",
    "method": "$context.httpMethod",
    "path": "$context.path",
    "protocol": "$context.protocol",
    "status": "$context.status",
    "responseBytes": "$context.responseLength",
    "latencyMs": "$context.responseLatency",
    "integrationStatus": "$context.integration.status",
    "integrationError": "$context.integration.error",
    "error": "$context.error.message",
    "errorType": "$context.error.responseType",
    "wafStatus": "$context.waf.status",
    "clientSubject": "$context.identity.clientCert.subjectDN",
    "clientIssuer": "$context.identity.clientCert.issuerDN",
    "clientSerial": "$context.identity.clientCert.serialNumber",
    "clientNotBefore": "$context.identity.clientCert.validity.notBefore",
    "clientNotAfter": "$context.identity.clientCert.validity.notAfter",
}
CERTIFICATE_FIELD = {"clientCertificate": "$context.identity.clientCert.clientCertPem"}


@dataclass(frozen=True, slots=True)
class SeenGroup:
    """A log group."""

    arn: str = ""
    days: int = 0
    """After how many days lines are deleted; 0 for never."""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LogGroup(Step[SeenGroup]):
    """A log group whose lines are deleted after ``logRetentionDays``."""

    deployment: Deployment
    group: str
    stage: StageName
    severity = "WARN"

    @property
    def name(self) -> str:
        """The step's name, as plans and messages show it."""
        return f"{self.stage}: log {self.group}"

    def look(self) -> SeenGroup:
        """Read the group, if there is one of exactly this name."""
        groups = ask_all("logs", "DescribeLogGroups", "logGroups", logGroupNamePrefix=self.group)
        for group in groups:
            if group["logGroupName"] == self.group:
                # AWS adds ":*", which its other calls do not take.
                arn = str(group["arn"]).removesuffix(":*")
                tags = ask("logs", "ListTagsForResource", resourceArn=arn)["tags"]
                return SeenGroup(arn, int(group.get("retentionInDays", 0)), tags)
        return SeenGroup()

    def plan(self, seen: SeenGroup) -> Plan:
        """Make the group, and set how long its lines are kept.

        Raises ``OperatorError`` for a group of another project.
        """
        self.deployment.refuse_of_another(
            f"The log group {self.group}", seen.tags, "Set another DeploymentOptions.projectName."
        )
        calls = []
        named: dict[str, Any] = {"logGroupName": self.group}
        if not seen.arn:
            parameters = {**named, "tags": self.deployment.tags(self.stage)}
            calls.append(Call("logs", "CreateLogGroup", f"there is no {self.group}", parameters))
        days = self.deployment.config.deployment.log_retention_days
        if seen.days != days:
            kept = f"{seen.days} days" if seen.days else "ever"
            reason = f"its lines are kept for {kept}, not {days} days"
            parameters = {**named, "retentionInDays": days}
            calls.append(Call("logs", "PutRetentionPolicy", reason, parameters))
        return Plan(tuple(calls))

    def undo(self, seen: SeenGroup) -> Plan:
        """Delete the group with its lines, if this tool made it."""
        if not self.deployment.is_ours(seen.tags):
            return DONE
        reason = f"the log group {self.group} was made by aws_deploy"
        return Plan((Call("logs", "DeleteLogGroup", reason, {"logGroupName": self.group}),))


def log_groups(deployment: Deployment, stage: StageName) -> list[LogGroup]:
    """Return a stage's two log groups: the function's and API Gateway's."""
    return [
        LogGroup(deployment, deployment.function_log_group(stage), stage),
        LogGroup(deployment, deployment.access_log_group(stage), stage),
    ]


def access_log_format(deployment: Deployment) -> str:
    """Return the format: one JSON object a request.

    It is the only record of a client that mutual TLS turned away.
    """
    fields = dict(ACCESS_LOG_FIELDS)
    if deployment.config.deployment.log_client_certificate_body:
        fields |= CERTIFICATE_FIELD
    return json.dumps(fields, separators=(",", ":"))


@dataclass(frozen=True)
class AccessLog(Step[tuple[str, Mapping[str, str]]]):
    """A line for each request to a stage, also for those that never reach the function."""

    deployment: Deployment
    stage: StageName

    advice = {
        "BadRequestException": "API Gateway may not know the account's log role yet. Wait a "
        "minute. Check also that the role may write to CloudWatch (aws_status).",
    }

    @property
    def name(self) -> str:
        """The step's name, as plans and messages show it."""
        return f"{self.stage}: access log"

    def look(self) -> tuple[str, Mapping[str, str]]:
        """Read the API's id, and what its stage logs."""
        api_id = api_id_of(self.deployment, self.stage)
        answer = ask("apigateway", "GetStage", restApiId=api_id, stageName=self.stage)
        return api_id, answer.get("accessLogSettings") or {}

    def plan(self, seen: tuple[str, Mapping[str, str]]) -> Plan:
        """Have every request logged, with the fields above."""
        api_id, logged = seen
        group = self.deployment.arn(
            "logs", f"log-group:{self.deployment.access_log_group(self.stage)}"
        )
        wanted = {"destinationArn": group, "format": access_log_format(self.deployment)}
        changes = [
            {"op": "replace", "path": f"/accessLogSettings/{key}", "value": value}
            for key, value in wanted.items()
            if logged.get(key) != value
        ]
        if not changes:
            return DONE
        reason = "requests are logged in another way" if logged else "requests are not logged"
        return Plan(
            (
                Call(
                    "apigateway",
                    "UpdateStage",
                    reason,
                    {"restApiId": api_id, "stageName": self.stage, "patchOperations": changes},
                ),
            )
        )


def rights(deployment: Deployment) -> ResourceRights:
    """Return the rights to the log groups; `zappa tail` reads them."""
    groups = [
        deployment.arn("logs", f"log-group:{prefix}/{deployment.project}-*")
        for prefix in ("/aws/lambda", "/aws/apigateway")
    ]
    return ResourceRights(
        look=["logs:DescribeLogGroups"],
        deploy=[
            allow(
                "Logs",
                [
                    "logs:CreateLogGroup",
                    "logs:DescribeLogStreams",
                    "logs:FilterLogEvents",
                    "logs:ListTagsForResource",
                    "logs:PutRetentionPolicy",
                    "logs:TagResource",
                ],
                groups,
            )
        ],
        remove=[allow("RemoveLogs", ["logs:DeleteLogGroup"], groups)],
    )
