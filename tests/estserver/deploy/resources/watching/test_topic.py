"""Whom the alarms reach, and who may send in their name."""

import json

import pytest

from estserver.deploy.engine.runs import StepFailed, intentions, take_away
from estserver.deploy.lifecycle.status import status
from estserver.deploy.resources.secrets_kms_key import SecretsKey
from estserver.deploy.resources.watching.alarms import Alarms
from estserver.deploy.resources.watching.topic import AlarmTopic, TopicKey, own_topic
from pki.aws.clients import aws_client
from tests.estserver.deploy import moto_gaps
from tests.estserver.deploy.account import ACCOUNT, CONFIG, REGION

EMAIL = "night@example.com"
OURS = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:est-server-*"


def attributes(deployment):
    return aws_client("sns").get_topic_attributes(TopicArn=own_topic(deployment))["Attributes"]


def key_policy(deployment):
    kms = aws_client("kms")
    key = kms.describe_key(KeyId=deployment.key_alias)["KeyMetadata"]["KeyId"]
    return json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])["Statement"]


def whole(deployment):
    return [SecretsKey(deployment), TopicKey(deployment), AlarmTopic(deployment)]


def test_alarms_report_to_a_topic_that_is_made_once(deployment, bring):
    assert bring(*whole(deployment), Alarms(deployment))[1:] == [
        "key for alarms",
        "topic for alarms",
        "alarms",
    ]

    assert bring(*whole(deployment), Alarms(deployment)) == []
    held = aws_client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert {tuple(alarm["AlarmActions"]) for alarm in held} == {(own_topic(deployment),)}
    assert attributes(deployment)["KmsMasterKeyId"] == "alias/est-server-secrets"


def test_T74_only_cloudwatch_may_publish_and_for_this_installations_alarms(deployment, bring):
    bring(*whole(deployment))

    (statement,) = json.loads(attributes(deployment)["Policy"])["Statement"]

    assert statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert statement["Action"] == ["sns:Publish"]
    assert statement["Resource"] == own_topic(deployment)
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnLike": {"aws:SourceArn": OURS},
    }


def test_T74_the_key_of_the_secrets_opens_for_cloudwatch_for_these_alarms_only(deployment, bring):
    bring(SecretsKey(deployment))
    before = key_policy(deployment)

    bring(*whole(deployment))

    *others, added = key_policy(deployment)
    assert others == before
    assert added["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert added["Condition"]["ArnLike"] == {"aws:SourceArn": OURS}
    assert added["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}
    assert added["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]


def test_T74_a_policy_that_somebody_widened_is_set_back(deployment, bring):
    bring(*whole(deployment))
    anybody = {"Effect": "Allow", "Principal": "*", "Action": "sns:Publish", "Resource": "*"}
    aws_client("sns").set_topic_attributes(
        TopicArn=own_topic(deployment),
        AttributeName="Policy",
        AttributeValue=json.dumps({"Version": "2012-10-17", "Statement": [anybody]}),
    )

    assert bring(*whole(deployment)) == ["topic for alarms"]

    (statement,) = json.loads(attributes(deployment)["Policy"])["Statement"]
    assert statement["Sid"] == "AlarmsPublish"


def test_the_address_is_subscribed_once_and_status_says_until_it_confirms(
    configured, aws_cloud, bring
):
    deployment = configured(CONFIG + f"  alarmEmail: {EMAIL}\n")
    bring(*whole(deployment))
    assert bring(*whole(deployment)) == []

    (row,) = status_of(deployment)
    assert row.level == "WARN"
    assert row.finding.startswith(f"{EMAIL} has not confirmed the subscription to the alarms.")
    moto_gaps.confirm_subscriptions()
    (row,) = status_of(deployment)
    assert (row.level, row.finding) == ("OK", "as it should be")
    listed = aws_client("sns").list_subscriptions()["Subscriptions"]
    assert [(each["Protocol"], each["Endpoint"]) for each in listed] == [("email", EMAIL)]


def status_of(deployment):
    rows = status(deployment, [AlarmTopic(deployment)])
    return [row for row in rows if row.name == "topic for alarms"]


def test_status_says_when_nobody_is_told(deployment, bring):
    bring(*whole(deployment))

    (row,) = status_of(deployment)

    assert (row.level, row.finding.partition(".")[0]) == ("WARN", "Nobody is told of an alarm")


def test_a_topic_of_the_operators_own_takes_ours_away(deployment, configured, bring):
    bring(*whole(deployment))
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:night"
    other = configured(CONFIG + f"  alarmTopicArn: {topic}\n")

    assert bring(*whole(other)) == ["key for alarms", "topic for alarms"]

    assert aws_client("sns").list_topics()["Topics"] == []
    assert "AlarmsToTheTopic" not in [each.get("Sid") for each in key_policy(other)]
    assert bring(*whole(other)) == []


def test_a_topic_that_another_tool_made_is_refused(deployment, bring):
    aws_client("sns").create_topic(Name="est-server-alarms")

    with pytest.raises(StepFailed, match="that this installation did not make"):
        bring(*whole(deployment))


def test_a_removal_takes_topic_and_statement_and_leaves_the_key(deployment, bring, performer):
    bring(SecretsKey(deployment))
    before = key_policy(deployment)
    bring(*whole(deployment))

    assert take_away(whole(deployment)[1:], performer) == ("topic for alarms", "key for alarms")

    assert aws_client("sns").list_topics()["Topics"] == []
    assert key_policy(deployment) == before


def test_before_there_is_a_key_a_dry_run_says_what_it_waits_for(deployment):
    (key, topic) = intentions(whole(deployment)[1:])

    assert key.reason.startswith("not known yet: There is no key alias/est-server-secrets")
    assert [call.name for call in topic.calls] == ["sns:CreateTopic"]
