"""Daily backups of the cluster in AWS Backup: a vault, a plan, and what the plan selects.

https://docs.aws.amazon.com/aurora-dsql/latest/userguide/backup-aurora-dsql.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from estserver.config import MADE_BY
from estserver.deploy.deployment import Deployment
from estserver.deploy.engine.calls import Answer, Call, ask, ask_all
from estserver.deploy.engine.steps import DONE, Plan, Step
from estserver.deploy.rights.dsql_cluster import cluster_in_use, last_backup
from estserver.deploy.rights.statements import ResourceRights, allow, our_tag

BACKUP_HOUR = 3
"""UTC."""
SELECTION = "database"


@dataclass(frozen=True)
class BackupVault(Step[bool]):
    """The vault that the backups are in. It is encrypted with AWS Backup's own key.

    No removal takes it: what is in it may be the only record of a CA.
    """

    deployment: Deployment
    name = "backup vault"

    def look(self) -> bool:
        """Return whether the vault is there, which is listed, as a missing one reads as denied."""
        vaults = ask_all("backup", "ListBackupVaults", "BackupVaultList")
        return self.deployment.backup_vault in {each["BackupVaultName"] for each in vaults}

    def plan(self, seen: bool) -> Plan:
        """Make the vault."""
        if seen:
            return DONE
        parameters = {
            "BackupVaultName": self.deployment.backup_vault,
            "BackupVaultTags": self.deployment.tags(),
        }
        return Plan((Call("backup", "CreateBackupVault", "there is no vault", parameters),))


@dataclass(frozen=True, slots=True)
class SeenPlan:
    """A plan of AWS Backup's, and the newest backup."""

    identifier: str = ""
    content: Mapping[str, Any] | None = None
    selections: tuple[tuple[str, str], ...] = ()
    """Name and id of each."""
    is_cluster_there: bool = False
    last_backup: str = ""


@dataclass(frozen=True)
class BackupPlan(Step[SeenPlan]):
    """A backup each day, kept ``databaseBackupDays``, of the cluster with our tag."""

    deployment: Deployment
    name = "backup plan"

    @property
    def desired_plan(self) -> dict[str, Any]:
        """Return the plan, as AWS Backup takes it."""
        return {
            "BackupPlanName": self.deployment.backup_vault,
            "Rules": [
                {
                    "RuleName": "daily",
                    "TargetBackupVaultName": self.deployment.backup_vault,
                    "ScheduleExpression": f"cron(0 {BACKUP_HOUR} * * ? *)",
                    "Lifecycle": {
                        "DeleteAfterDays": self.deployment.config.properties.database_backup_days
                    },
                }
            ],
        }

    def look(self) -> SeenPlan:
        """Read the plan of that name. Raises ``RemoteFailure``."""
        cluster = cluster_in_use(self.deployment)
        newest = last_backup(cluster) if cluster else ""
        plans = ask_all("backup", "ListBackupPlans", "BackupPlansList")
        ours = (each for each in plans if each["BackupPlanName"] == self.deployment.backup_vault)
        found = next(ours, None)
        if found is None:
            return SeenPlan(is_cluster_there=bool(cluster), last_backup=newest)
        identifier = str(found["BackupPlanId"])
        content = ask("backup", "GetBackupPlan", BackupPlanId=identifier)["BackupPlan"]
        selections = ask_all(
            "backup", "ListBackupSelections", "BackupSelectionsList", BackupPlanId=identifier
        )
        named = tuple((str(each["SelectionName"]), str(each["SelectionId"])) for each in selections)
        return SeenPlan(identifier, content, named, bool(cluster), newest)

    def plan(self, seen: SeenPlan) -> Plan:
        """Make plan and selection, or set what differs. A note says when there is no backup yet."""
        calls: list[Call] = []
        identifier: str | Answer = seen.identifier
        if not seen.identifier:
            identifier = Answer("backup:CreateBackupPlan", "BackupPlanId")
            made: dict[str, Any] = {
                "BackupPlan": self.desired_plan,
                "BackupPlanTags": self.deployment.tags(),
            }
            calls.append(Call("backup", "CreateBackupPlan", "nothing backs it up", made))
        elif not _is_as_wanted(seen.content or {}, self.desired_plan):
            made = {"BackupPlanId": seen.identifier, "BackupPlan": self.desired_plan}
            calls.append(Call("backup", "UpdateBackupPlan", "the backup plan differs", made))
        if SELECTION not in {name for name, _ in seen.selections}:
            calls.append(self._select(identifier))
        notes: tuple[str, ...] = ()
        if not calls and seen.is_cluster_there and not seen.last_backup:
            notes = ("There is no backup of the database yet. The first is made at 03:00 UTC.",)
        return Plan(tuple(calls), notes=notes)

    def undo(self, seen: SeenPlan) -> Plan:
        """Delete the plan. The backups that it made stay."""
        if not seen.identifier:
            return DONE
        named = {"BackupPlanId": seen.identifier}
        calls = [
            Call(
                "backup",
                "DeleteBackupSelection",
                f"what the plan selects: {name}",
                {**named, "SelectionId": identifier},
            )
            for name, identifier in seen.selections
        ]
        return Plan((*calls, Call("backup", "DeleteBackupPlan", "the backup plan", named)))

    def _select(self, identifier: str | Answer) -> Call:
        """Return the call that selects clusters by our tag, so that a restored one is selected."""
        selection = {
            "SelectionName": SELECTION,
            "IamRoleArn": self.deployment.role_arn(self.deployment.backup_role),
            "Resources": [self.deployment.arn("dsql", "cluster/*")],
            "Conditions": {
                "StringEquals": [
                    {
                        "ConditionKey": f"aws:ResourceTag/{MADE_BY}",
                        "ConditionValue": self.deployment.project,
                    }
                ]
            },
        }
        return Call(
            "backup",
            "CreateBackupSelection",
            "the plan selects no database",
            {"BackupPlanId": identifier, "BackupSelection": selection},
        )


def _is_as_wanted(held: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether AWS Backup holds the rules, beside which it answers defaults and ids."""
    rules = held.get("Rules", [])
    [wanted_rule] = wanted["Rules"]
    return len(rules) == 1 and all(rules[0].get(key) == value for key, value in wanted_rule.items())


def rights(deployment: Deployment) -> ResourceRights:
    """Return the rights to vault and plan. AWS Backup chooses a plan's id when it makes the plan.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsbackup.html
    https://docs.aws.amazon.com/aws-backup/latest/devguide/create-a-vault.html
    """
    vault = deployment.arn("backup", f"backup-vault:{deployment.backup_vault}")
    plans = deployment.arn("backup", "backup-plan:*")
    tagged = our_tag(deployment, "aws:ResourceTag")
    return ResourceRights(
        look=["backup:ListBackupPlans", "backup:ListBackupVaults"],
        deploy=[
            allow("MakeVault", ["backup:CreateBackupVault", "backup:TagResource"], vault),
            allow("MakeVaultStorage", ["backup-storage:MountCapsule"], "*"),
            allow(
                "MakeBackupPlan",
                ["backup:CreateBackupPlan", "backup:TagResource"],
                plans,
                our_tag(deployment, "aws:RequestTag"),
            ),
            allow(
                "SetBackupPlan",
                [
                    "backup:CreateBackupSelection",
                    "backup:GetBackupPlan",
                    "backup:ListBackupSelections",
                    "backup:UpdateBackupPlan",
                ],
                plans,
                tagged,
            ),
            allow("LookAtBackups", ["backup:ListRecoveryPointsByResource"], "*"),
        ],
        remove=[
            allow(
                "RemoveBackupPlan",
                ["backup:DeleteBackupPlan", "backup:DeleteBackupSelection"],
                plans,
                tagged,
            )
        ],
    )
