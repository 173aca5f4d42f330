"""Who is told when something is wrong."""

from estserver.deploy.engine.runs import intentions
from estserver.deploy.resources.alarms import Alarms, alarms
from pki.aws.clients import aws_client
from tests.estserver.deploy.account import ACCOUNT, CONFIG, REGION


def test_alarms_are_put_once_and_stale_ones_go(deployment, configured, bring):
    assert bring(Alarms(deployment)) == ["alarms"]
    assert bring(Alarms(deployment)) == []
    names = {alarm.name for alarm in alarms(deployment)}
    assert {"est-server-est-5xx", "est-server-admin-throttles", "est-server-ca-days"} <= names
    assert "est-server-adminCertificateArn" in names
    without = configured(
        CONFIG.replace("adminDomainName", "# adminDomainName").replace("adminCert", "# adminCert")
    )

    [intended] = intentions([Alarms(without)])

    assert [call.name for call in intended.calls] == ["cloudwatch:DeleteAlarms"]
    assert intended.calls[0].parameters == {"AlarmNames": ["est-server-adminCertificateArn"]}


def test_alarms_report_to_the_topic(configured, aws_cloud, bring):
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:night"
    deployment = configured(CONFIG + f"  alarmTopicArn: {topic}\n")

    bring(Alarms(deployment))

    held = aws_client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert {tuple(alarm["AlarmActions"]) for alarm in held} == {(topic,)}
