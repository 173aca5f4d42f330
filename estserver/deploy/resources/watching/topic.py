"""The SNS topic that the alarms report to, and the right of CloudWatch to encrypt for it.

The messages are encrypted with the key of the secrets. A key of AWS's own (``alias/aws/sns``) would
not do, because no policy lets CloudWatch use that one, and a key more costs a dollar a month.
https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from estserver.deploy.deployment import Deployment
from estserver.deploy.engine.calls import Call, ask, ask_all, ask_if_any
from estserver.deploy.engine.compare import policy_from
from estserver.deploy.engine.steps import DONE, Blocked, Plan, Step
from estserver.deploy.rights.statements import Document, ResourceRights, allow, document, our_tag
from pki.aws.ownership import tags_of
from pki.operators.errors import OperatorError

CLOUDWATCH = "cloudwatch.amazonaws.com"
KEY_STATEMENT = "AlarmsToTheTopic"
PENDING = "PendingConfirmation"
"""What SNS answers in place of the ARN of a subscription that nobody has confirmed."""
ENDED = "Deleted"
"""The same for one that its subscriber has ended, which SNS lists for some days more."""


def own_topic(deployment: Deployment) -> str:
    """Return the ARN of the topic that the deployment makes."""
    return deployment.arn("sns", f"{deployment.project}-alarms")


def topic_in_use(deployment: Deployment) -> str:
    """Return the ARN of the topic that the alarms report to."""
    return deployment.config.deployment.alarm_topic_arn or own_topic(deployment)


def is_own(deployment: Deployment) -> bool:
    """Whether the alarms report to the topic that the deployment makes."""
    return not deployment.config.deployment.alarm_topic_arn


def of_our_alarms(deployment: Deployment) -> dict[str, dict[str, str]]:
    """Return the condition that CloudWatch acts for an alarm of this installation."""
    return {
        "StringEquals": {"aws:SourceAccount": deployment.account},
        "ArnLike": {"aws:SourceArn": deployment.arn("cloudwatch", f"alarm:{deployment.project}-*")},
    }


@dataclass(frozen=True, slots=True)
class SeenKeyPolicy:
    """The key of the secrets, and its policy."""

    key_id: str = ""
    policy: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TopicKey(Step[SeenKeyPolicy]):
    """The statement in the key's policy with which CloudWatch may encrypt messages."""

    deployment: Deployment
    severity = "WARN"
    name = "key for alarms"

    def look(self) -> SeenKeyPolicy:
        """Read the policy of the key of the secrets, by the key's alias."""
        alias = self.deployment.key_alias
        answer = ask_if_any("kms", "DescribeKey", KeyId=alias)
        if answer is None or answer["KeyMetadata"]["KeyState"] != "Enabled":
            raise Blocked(f"There is no key {alias} that can be used. Run aws_deploy.")
        key_id = str(answer["KeyMetadata"]["KeyId"])
        held = ask("kms", "GetKeyPolicy", KeyId=key_id, PolicyName="default")["Policy"]
        return SeenKeyPolicy(key_id, json.loads(held))

    def plan(self, seen: SeenKeyPolicy) -> Plan:
        """Add the statement, or take it away if the alarms report to another topic."""
        if not is_own(self.deployment):
            return self.undo(seen)
        if policy_from(json.dumps(self._ours(seen))) == policy_from(json.dumps([self._statement])):
            return DONE
        reason = "CloudWatch may not encrypt what it sends to the topic"
        return Plan((self._put(seen, [self._statement], reason),))

    def undo(self, seen: SeenKeyPolicy) -> Plan:
        """Take the statement away."""
        if not self._ours(seen):
            return DONE
        return Plan((self._put(seen, [], "CloudWatch needs the key no more"),))

    @property
    def _statement(self) -> dict[str, Any]:
        return {
            "Sid": KEY_STATEMENT,
            "Effect": "Allow",
            "Principal": {"Service": CLOUDWATCH},
            "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
            "Resource": "*",
            "Condition": of_our_alarms(self.deployment),
        }

    def _ours(self, seen: SeenKeyPolicy) -> list[Any]:
        return [each for each in seen.policy["Statement"] if each.get("Sid") == KEY_STATEMENT]

    def _put(self, seen: SeenKeyPolicy, wanted: Sequence[Any], reason: str) -> Call:
        others = [each for each in seen.policy["Statement"] if each.get("Sid") != KEY_STATEMENT]
        policy = {**seen.policy, "Statement": [*others, *wanted]}
        parameters = {
            "KeyId": seen.key_id,
            "PolicyName": "default",
            "Policy": json.dumps(policy),
        }
        return Call("kms", "PutKeyPolicy", reason, parameters)


@dataclass(frozen=True, slots=True)
class SeenTopic:
    """The topic, and who subscribed to it."""

    attributes: Mapping[str, str] = field(default_factory=dict)
    """Empty if there is no topic."""
    subscriptions: Sequence[Mapping[str, str]] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class AlarmTopic(Step[SeenTopic]):
    """The topic, unless ``alarmTopicArn`` names another one, with the subscription of a person."""

    deployment: Deployment
    severity = "WARN"
    name = "topic for alarms"

    def look(self) -> SeenTopic:
        """Read the topic with its tags and subscriptions."""
        arn = own_topic(self.deployment)
        answer = ask_if_any("sns", "GetTopicAttributes", TopicArn=arn)
        if answer is None:
            return SeenTopic()
        listed = ask_all("sns", "ListSubscriptionsByTopic", "Subscriptions", TopicArn=arn)
        return SeenTopic(
            answer["Attributes"],
            [each for each in listed if each["SubscriptionArn"] != ENDED],
            tags_of(ask("sns", "ListTagsForResource", ResourceArn=arn)["Tags"]),
        )

    def plan(self, seen: SeenTopic) -> Plan:
        """Make the topic, correct its key and policy, and subscribe ``alarmEmail``.

        Raises ``OperatorError`` for a topic of that name that this tool did not make.
        """
        arn = own_topic(self.deployment)
        if not is_own(self.deployment):
            return self.undo(seen)
        wanted = {
            "KmsMasterKeyId": self.deployment.key_alias,
            "Policy": json.dumps(topic_policy(self.deployment)),
        }
        if not seen.attributes:
            parameters = {
                "Name": arn.rpartition(":")[2],
                "Attributes": wanted,
                "Tags": self.deployment.tag_list(),
            }
            reason = "there is no topic that the alarms report to"
            return Plan((Call("sns", "CreateTopic", reason, parameters),))
        if not self.deployment.is_ours(seen.tags):
            raise OperatorError(
                f"There is a topic {arn} that this installation did not make. Set alarmTopicArn to "
                "it if the alarms shall report to it, or delete it."
            )
        calls = [
            Call(
                "sns",
                "SetTopicAttributes",
                reason,
                {"TopicArn": arn, "AttributeName": name, "AttributeValue": wanted[name]},
            )
            for name, reason in (
                ("KmsMasterKeyId", "its messages are not encrypted with the key of the secrets"),
                ("Policy", "others than this account's alarms may publish, or these may not"),
            )
            if not _is_same(name, seen.attributes.get(name, ""), wanted[name])
        ]
        email = self.deployment.config.deployment.alarm_email
        if email and not self._of(email, seen):
            parameters = {"TopicArn": arn, "Protocol": "email", "Endpoint": email}
            calls.append(Call("sns", "Subscribe", f"{email} is not subscribed", parameters))
        return Plan(tuple(calls), notes=() if calls else tuple(self._notes(seen)))

    def undo(self, seen: SeenTopic) -> Plan:
        """Delete the topic with its subscriptions, if this tool made it."""
        if not self.deployment.is_ours(seen.tags):
            return DONE
        arn = own_topic(self.deployment)
        reason = f"the topic {arn} was made by aws_deploy"
        return Plan((Call("sns", "DeleteTopic", reason, {"TopicArn": arn}),))

    def _of(self, email: str, seen: SeenTopic) -> Sequence[Mapping[str, str]]:
        return [
            each
            for each in seen.subscriptions
            if (each["Protocol"], each["Endpoint"]) == ("email", email)
        ]

    def _notes(self, seen: SeenTopic) -> list[str]:
        """Return who is not told of an alarm yet."""
        email = self.deployment.config.deployment.alarm_email
        if email and all(each["SubscriptionArn"] == PENDING for each in self._of(email, seen)):
            return [
                f"{email} has not confirmed the subscription to the alarms. Open the link in the "
                "e-mail from AWS Notifications. It is valid for two days; after that, aws_deploy "
                "sends another one."
            ]
        if all(each["SubscriptionArn"] == PENDING for each in seen.subscriptions):
            return [
                "Nobody is told of an alarm. Set alarmEmail, or subscribe to the topic "
                f"{own_topic(self.deployment)}."
            ]
        return []


def topic_policy(deployment: Deployment) -> Document:
    """Return the topic's policy: CloudWatch publishes for this installation's alarms.

    https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html
    """
    statement = allow(
        "AlarmsPublish", ["sns:Publish"], own_topic(deployment), of_our_alarms(deployment)
    )
    return document([{**statement, "Principal": {"Service": CLOUDWATCH}}])


def _is_same(name: str, seen: str, wanted: str) -> bool:
    if name == "Policy":
        return bool(policy_from(seen) == policy_from(wanted))
    return seen == wanted


def rights(deployment: Deployment) -> ResourceRights:
    """Return the rights to the topic, and to the policy of the one key that encrypts for it."""
    topic = own_topic(deployment)
    named = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": deployment.key_alias}}
    key_policy = allow(
        "KeyPolicy",
        ["kms:GetKeyPolicy", "kms:PutKeyPolicy"],
        deployment.arn("kms", "key/*"),
        {**our_tag(deployment, "aws:ResourceTag"), **named},
    )
    return ResourceRights(
        deploy=[
            allow(
                "AlarmTopic",
                [
                    "sns:CreateTopic",
                    "sns:DeleteTopic",
                    "sns:GetTopicAttributes",
                    "sns:ListSubscriptionsByTopic",
                    "sns:ListTagsForResource",
                    "sns:SetTopicAttributes",
                    "sns:Subscribe",
                    "sns:TagResource",
                ],
                topic,
            ),
            key_policy,
        ],
    )
