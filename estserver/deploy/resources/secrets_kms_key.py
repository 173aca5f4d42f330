"""The KMS key that secrets are encrypted with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from estserver.deploy.deployment import KEY_DELETION_DAYS, Deployment
from estserver.deploy.engine.calls import Answer, Call, ask, ask_all, ask_if_any
from estserver.deploy.engine.performer import Performer
from estserver.deploy.engine.steps import DONE, Plan, Step
from estserver.deploy.rights.signing import secret_arns, through_secrets_manager
from estserver.deploy.rights.statements import ResourceRights, allow, our_tag
from pki.operators.errors import OperatorError


@dataclass(frozen=True, slots=True)
class SeenKey:
    """The key behind the alias."""

    key_id: str = ""
    is_rotated: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    state: str = ""


@dataclass(frozen=True)
class SecretsKey(Step[SeenKey]):
    """One symmetric key, whose material KMS renews every year."""

    deployment: Deployment
    name = "KMS key for secrets"

    def look(self) -> SeenKey:
        """Read the key, by its alias."""
        answer = ask_if_any("kms", "DescribeKey", KeyId=self.deployment.key_alias)
        if answer is None:
            return SeenKey()
        key_id = str(answer["KeyMetadata"]["KeyId"])
        state = str(answer["KeyMetadata"].get("KeyState", ""))
        listed = ask_all("kms", "ListResourceTags", "Tags", KeyId=key_id)
        return SeenKey(
            key_id,
            is_rotated=state == "Enabled"
            and bool(ask("kms", "GetKeyRotationStatus", KeyId=key_id)["KeyRotationEnabled"]),
            tags={tag["TagKey"]: tag["TagValue"] for tag in listed},
            state=state,
        )

    def plan(self, seen: SeenKey) -> Plan:
        """Make key and alias, and switch rotation on.

        Raises ``OperatorError`` for a key that is another project's, is disabled or about to be
        deleted.
        """
        self.deployment.refuse_of_another(
            f"The KMS key {self.deployment.key_alias}",
            seen.tags,
            "Set another DeploymentOptions.projectName.",
        )
        if not seen.key_id:
            made: Any = Answer("kms:CreateKey", "KeyMetadata.KeyId")
            alias = self.deployment.key_alias
            return Plan(
                (
                    self._create(),
                    Call(
                        "kms",
                        "CreateAlias",
                        f"it has no name {alias}",
                        {"AliasName": alias, "TargetKeyId": made},
                    ),
                    self._rotate(made),
                )
            )
        if seen.state != "Enabled":
            raise OperatorError(
                f"The key {self.deployment.key_alias} is {seen.state}, and the secrets cannot be "
                "read without it. Run manage.py aws_deploy --prepare --restore, which cancels its "
                "deletion and enables it, or do that in the console."
            )
        return DONE if seen.is_rotated else Plan((self._rotate(seen.key_id),))

    def apply(self, plan: Plan, performer: Performer) -> None:
        """Carry out the calls, and wait until the alias leads to the key.

        A second look would else make another key.
        https://docs.aws.amazon.com/kms/latest/developerguide/accessing-kms.html#programming-eventual-consistency
        """
        super().apply(plan, performer)
        alias = self.deployment.key_alias
        performer.wait_until(
            lambda: bool(self.look().key_id), f"KMS does not know the alias {alias} yet"
        )

    def undo(self, seen: SeenKey) -> Plan:
        """Delete the alias, and schedule the key's deletion, if this tool made it."""
        if not self.deployment.is_ours(seen.tags):
            return DONE
        alias = self.deployment.key_alias
        return Plan(
            (
                Call(
                    "kms",
                    "ScheduleKeyDeletion",
                    f"the key was made by aws_deploy; KMS keeps it for {KEY_DELETION_DAYS} days "
                    "more",
                    {"KeyId": seen.key_id, "PendingWindowInDays": KEY_DELETION_DAYS},
                ),
                Call("kms", "DeleteAlias", f"its name {alias}", {"AliasName": alias}),
            )
        )

    def _create(self) -> Call:
        tags = [{"TagKey": key, "TagValue": value} for key, value in self.deployment.tags().items()]
        parameters = {"Description": "EST server: secrets", "Tags": tags}
        return Call("kms", "CreateKey", "there is no key for secrets", parameters)

    def _rotate(self, key_id: Any) -> Call:
        return Call("kms", "EnableKeyRotation", "it is not rotated", {"KeyId": key_id})


def rights(deployment: Deployment) -> ResourceRights:
    """Return the rights to the key, and to make the secret that signs the admin's sessions.

    The other secrets are the admin's function's to make.
    """
    secret = deployment.config.properties.secret_key_secret_name
    through = through_secrets_manager(deployment)
    keys = deployment.arn("kms", "key/*")
    tagged = our_tag(deployment, "aws:ResourceTag")
    return ResourceRights(
        deploy=[
            allow(
                "MakeKey",
                ["kms:CreateKey", "kms:TagResource"],
                "*",
                our_tag(deployment, "aws:RequestTag"),
            ),
            allow(
                "KeepKeys",
                [
                    "kms:CreateAlias",
                    "kms:DescribeKey",
                    "kms:EnableKeyRotation",
                    "kms:GetKeyRotationStatus",
                    "kms:ListResourceTags",
                ],
                keys,
                tagged,
            ),
            allow("NameKey", ["kms:CreateAlias"], deployment.arn("kms", deployment.key_alias)),
            allow(
                "MakeSessionSecret",
                [
                    "secretsmanager:CreateSecret",
                    "secretsmanager:DescribeSecret",
                    "secretsmanager:GetSecretValue",
                    "secretsmanager:TagResource",
                ],
                list(secret_arns(deployment, secret)),
            ),
            allow(
                "EncryptSessionSecret",
                ["kms:Decrypt", "kms:GenerateDataKey"],
                keys,
                {"StringEquals": {**tagged["StringEquals"], **through["StringEquals"]}},
            ),
        ],
        remove=[
            allow("LookAtSecrets", ["kms:DescribeKey", "kms:ListResourceTags"], "*"),
            allow("RemoveNames", ["kms:DeleteAlias"], deployment.arn("kms", "alias/*")),
            allow("RemoveSecrets", ["kms:DeleteAlias", "kms:ScheduleKeyDeletion"], keys, tagged),
        ],
    )
