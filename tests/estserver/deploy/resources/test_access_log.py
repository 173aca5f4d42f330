"""What is written down of each request, and for how long."""

import json

from estserver.deploy.engine.runs import intentions
from estserver.deploy.resources.gateway_account import GatewayAccount
from estserver.deploy.resources.logs import AccessLog, LogGroup, access_log_format
from pki.aws.clients import aws_client
from tests.estserver.deploy.account import CONFIG, stage


def test_the_access_log_names_the_client_and_leaves_its_certificate_out(configured):
    fields = json.loads(access_log_format(configured()))

    assert fields["clientSubject"] == "$context.identity.clientCert.subjectDN"
    assert fields["clientSerial"] == "$context.identity.clientCert.serialNumber"
    assert not [value for value in fields.values() if "clientCertPem" in value]


def test_the_clients_certificate_is_logged_where_that_is_wanted(configured):
    text = CONFIG.replace(
        "DeploymentOptions:", "DeploymentOptions:\n  logClientCertificateBody: true"
    )

    assert "clientCert.clientCertPem" in access_log_format(configured(text))


def test_the_access_log_is_one_line(configured):
    assert "\n" not in access_log_format(configured())


def test_requests_are_logged(deployment, live, bring):
    api_id = live(deployment, "est")

    assert bring(AccessLog(deployment, "est")) == ["est: access log"]

    held = stage(api_id, "est")["accessLogSettings"]
    assert held["destinationArn"].endswith(":log-group:/aws/apigateway/est-server-est/access")
    assert held["format"] == access_log_format(deployment)
    assert bring(AccessLog(deployment, "est")) == []


def test_log_groups_end_their_lines_and_a_longer_name_is_another_group(deployment, bring):
    aws_client("logs").create_log_group(logGroupName="/aws/lambda/est-server-est-other")
    step = LogGroup(deployment, "/aws/lambda/est-server-est", "est")

    assert bring(step) == [step.name]

    assert step.look().days == 90
    aws_client("logs").delete_retention_policy(logGroupName=step.group)
    [intended] = intentions([step])
    assert intended.calls[0].reason == "its lines are kept for ever, not 90 days"
    assert (
        intentions([LogGroup(deployment, "/aws/lambda/est-server-est-other", "est")], removing=True)
        == []
    )


def test_the_accounts_log_role_is_left_alone_when_there_is_one(deployment, bring):
    other = "arn:aws:iam::123456789012:role/other"
    change = {"op": "replace", "path": "/cloudwatchRoleArn", "value": other}
    aws_client("apigateway").update_account(patchOperations=[change])
    step = GatewayAccount(deployment)

    assert bring(step) == []
    assert intentions([step], removing=True) == []
