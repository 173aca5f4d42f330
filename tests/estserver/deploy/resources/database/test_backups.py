"""Daily backups: the plan that makes them, what it selects, and what a removal leaves."""

import pytest

from estserver.deploy.engine.runs import intentions, take_away
from estserver.deploy.recipe import preparation, removable
from estserver.deploy.resources.database.backups import BackupPlan, BackupVault
from estserver.deploy.resources.database.cluster import DatabaseCluster
from estserver.deploy.resources.roles.deployment_roles import BackupRole, backup_role
from estserver.deploy.rights.dsql_cluster import find_cluster
from pki.aws.clients import aws_client
from tests.estserver.deploy import moto_database
from tests.estserver.deploy.account import WITHOUT_DATABASE


@pytest.fixture
def backed_up(account, bring):
    """A cluster with its backups."""
    bring(
        DatabaseCluster(account),
        BackupVault(account),
        backup_role(account),
        BackupPlan(account),
    )
    return BackupPlan(account)


def with_days(days):
    return WITHOUT_DATABASE.replace(
        "Properties:\n", f"Properties:\n  databaseBackupDays: {days}\n", 1
    )


def test_a_backup_is_made_each_day_and_kept_35_days_of_what_has_our_tag(backed_up, bring):
    plan = moto_database.the_plan()

    [rule] = plan.backup_plan["Rules"]
    assert rule["Lifecycle"] == {"DeleteAfterDays": 35}
    assert rule["TargetBackupVaultName"] == "est-server-database"
    [selection] = plan.selections
    assert selection["Resources"] == ["arn:aws:dsql:eu-central-1:123456789012:cluster/*"]
    [condition] = selection["Conditions"]["StringEquals"]
    assert condition == {
        "ConditionKey": "aws:ResourceTag/est-server:made-by",
        "ConditionValue": "est-server",
    }
    role = aws_client("iam").get_role(RoleName=selection["IamRoleArn"].rpartition("/")[2])["Role"]
    trusted = role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]
    assert trusted == {"Service": ["backup.amazonaws.com"]}
    assert bring(BackupVault(backed_up.deployment), backed_up) == []


def test_other_days_change_the_plan(backed_up, configured, bring):
    step = BackupPlan(configured(with_days(7)))

    assert bring(step) == [step.name]

    [rule] = moto_database.the_plan().backup_plan["Rules"]
    assert rule["Lifecycle"] == {"DeleteAfterDays": 7}
    assert len(moto_database.the_plan().selections) == 1


def test_no_days_are_no_backups(account, configured):
    made = (BackupVault, BackupPlan, BackupRole)

    assert any(isinstance(step, made) for step in preparation(account))
    assert not any(isinstance(step, made) for step in preparation(configured(with_days(0))))


def test_a_note_says_that_there_is_no_backup_yet(backed_up):
    assert "no backup of the database yet" in backed_up.plan(backed_up.look()).notes[0]

    moto_database.add_backup(find_cluster(backed_up.deployment).arn, status="EXPIRED")
    assert backed_up.plan(backed_up.look()).notes

    moto_database.add_backup(find_cluster(backed_up.deployment).arn)
    assert backed_up.plan(backed_up.look()).notes == ()
    assert backed_up.look().last_backup == "2030-01-02 03:00 UTC"


def test_T75_a_removal_of_the_database_leaves_the_vault_and_its_backups(backed_up, performer):
    kept = intentions(removable(backed_up.deployment), removing=True)
    assert not [call for each in kept for call in each.calls if call.service == "backup"]

    steps = removable(backed_up.deployment, with_database=True)
    take_away([step for step in steps if isinstance(step, BackupPlan | BackupRole)], performer)

    assert moto_database.the_plan() is None
    vaults = aws_client("backup").list_backup_vaults()["BackupVaultList"]
    assert [vault["BackupVaultName"] for vault in vaults] == ["est-server-database"]
