"""When somebody is told that something is wrong, and when nobody is."""

from dataclasses import replace

import pytest

from estserver.deploy.engine.runs import StepFailed, intentions, take_away
from estserver.deploy.resources.database.cluster import DatabaseCluster
from estserver.deploy.resources.watching.alarm_list import alarms
from estserver.deploy.resources.watching.alarms import Alarms
from estserver.deploy.resources.watching.database_metrics import dsql_cluster
from estserver.deploy.rights.dsql_cluster import find_cluster
from pki.aws.clients import aws_client
from tests.estserver.deploy import moto_lambda
from tests.estserver.deploy.account import ACCOUNT, CONFIG, REGION, WITHOUT_DATABASE

DSQL = "dsql://admin@abcdefghijklmnopqrstuvwxyz.dsql.eu-central-1.on.aws/postgres"


def on_dsql(deployment):
    """The deployment with an Aurora DSQL cluster, whose driver need not be installed for this."""
    properties = replace(deployment.config.properties, database_url=DSQL)
    return replace(deployment, config=replace(deployment.config, properties=properties))


def listed(deployment):
    """The alarms of a deployment, whichever database it has."""
    return alarms(deployment, cluster=dsql_cluster(deployment))


@pytest.fixture
def by_name(deployment):
    return {alarm.name: alarm for alarm in listed(deployment)}


def test_alarms_are_put_once_and_stale_ones_go(deployment, configured, bring):
    assert bring(Alarms(deployment)) == ["alarms"]
    assert bring(Alarms(deployment)) == []
    names = {alarm.name for alarm in listed(deployment)}
    assert {"est-server-est-5xx", "est-server-admin-throttles", "est-server-ca-days"} <= names
    assert "est-server-adminCertificateArn" in names
    without = configured(
        CONFIG.replace("adminDomainName", "# adminDomainName").replace("adminCert", "# adminCert")
    )

    [intended] = intentions([Alarms(without)])

    assert [call.name for call in intended.calls] == ["cloudwatch:DeleteAlarms"]
    assert intended.calls[0].parameters == {"AlarmNames": ["est-server-adminCertificateArn"]}


def test_alarms_report_to_the_topic_of_the_configuration(configured, aws_cloud, bring):
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:night"
    deployment = configured(CONFIG + f"  alarmTopicArn: {topic}\n")

    bring(Alarms(deployment))

    held = aws_client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert {tuple(alarm["AlarmActions"]) for alarm in held} == {(topic,)}


def test_an_idle_installation_alarms_of_nothing_but_a_dead_schedule(by_name):
    """Without a request, no metric has data but what the hourly run writes."""
    assert [name for name, alarm in by_name.items() if alarm.missing == "breaching"] == [
        "est-server-schedule"
    ]
    dead = by_name["est-server-schedule"]
    assert dead.period * dead.periods == 3 * 3600  # the hourly run may come late once


def test_no_alarm_looks_back_further_than_cloudwatch_does(by_name):
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"""
    for alarm in by_name.values():
        longest = 7 * 86_400 if alarm.period >= 3600 else 86_400
        assert alarm.period * alarm.periods <= longest
        assert alarm.period % 60 == 0


def test_a_quota_is_the_accounts_own(deployment, bring, monkeypatch):
    monkeypatch.setitem(moto_lambda.executions, "ConcurrentExecutions", 10)

    bring(Alarms(deployment))

    (held,) = aws_client("cloudwatch").describe_alarms(AlarmNames=["est-server-concurrency"])[
        "MetricAlarms"
    ]
    assert (held["Threshold"], held["Dimensions"]) == (8, [])
    monkeypatch.setitem(moto_lambda.executions, "ConcurrentExecutions", 1000)
    assert bring(Alarms(deployment)) == ["alarms"]


def test_the_quotas_of_a_dsql_cluster_are_watched(deployment, bring):
    deployment = on_dsql(deployment)

    found = {alarm.name: alarm for alarm in listed(deployment)}

    connections = found["est-server-database-connections"]
    assert connections.dimensions["ResourceId"] == "cluster/abcdefghijklmnopqrstuvwxyz"
    assert connections.threshold == 8000
    size = found["est-server-database-storage"]
    assert size.dimensions == {"ResourceId": "abcdefghijklmnopqrstuvwxyz"}
    assert bring(Alarms(deployment)) == ["alarms"]
    assert bring(Alarms(deployment)) == []


def test_the_quotas_of_the_cluster_that_the_deployment_makes_are_watched(
    aws_cloud, configured, bring
):
    deployment = configured(WITHOUT_DATABASE)
    assert "est-server-database-storage" not in {alarm.name for alarm in listed(deployment)}
    bring(DatabaseCluster(deployment))

    assert bring(Alarms(deployment)) == ["alarms"]
    assert bring(Alarms(deployment)) == []

    cluster = find_cluster(deployment).identifier
    held = aws_client("cloudwatch").describe_alarms(AlarmNamePrefix="est-server-database-")
    values = {
        alarm["AlarmName"]: {each["Name"]: each["Value"] for each in alarm["Dimensions"]}
        for alarm in held["MetricAlarms"]
    }
    assert values["est-server-database-storage"] == {"ResourceId": cluster}
    assert values["est-server-database-connections"]["ResourceId"] == f"cluster/{cluster}"


def test_two_clusters_stop_a_deployment_and_no_removal(aws_cloud, configured, bring, performer):
    deployment = configured(WITHOUT_DATABASE)
    bring(DatabaseCluster(deployment), Alarms(deployment))
    aws_client("dsql").create_cluster(tags={"est-server:made-by": "est-server"})

    with pytest.raises(StepFailed, match="2 clusters of Aurora DSQL have the tag of est-server"):
        bring(Alarms(deployment))

    assert take_away([Alarms(deployment)], performer) == ("alarms",)
