"""Aurora DSQL and AWS Backup as far as moto leaves them out.

moto's clusters have an endpoint of another form, and only in regions of the USA. Of AWS Backup it
has vaults and plans, and neither what a plan selects nor the backups.
"""

import json
from datetime import UTC, datetime
from urllib.parse import unquote

from moto.backup import urls
from moto.backup.models import backup_backends
from moto.backup.responses import BackupResponse
from moto.dsql.models import AuroraDSQLBackend, dsql_backends

from tests.estserver.deploy.account import ACCOUNT, REGION

identifiers = []
"""Ids of the next clusters to be made, so that they lead to one that PostgreSQL plays."""
recovery_points = {}
"""Backups by the ARN of their cluster, newest last."""
_create_cluster = AuroraDSQLBackend.create_cluster


def _created(self, *args, **kwargs):
    cluster = _create_cluster(self, *args, **kwargs)
    if identifiers and not getattr(cluster, "is_named", False):
        made, cluster.identifier = cluster.identifier, identifiers.pop(0)
        cluster.arn = cluster.arn.replace(made, cluster.identifier)
        self.clusters[cluster.identifier] = self.clusters.pop(made)
    cluster.is_named = True
    # https://docs.aws.amazon.com/aurora-dsql/latest/APIReference/API_GetCluster.html
    cluster.endpoint = f"{cluster.identifier}.dsql.{cluster.region_name}.on.aws"
    return cluster


def _plan_of(self):
    return self.backup_backend.plans[self.path.split("/plans/")[1].split("/")[0]]


def _update_backup_plan(self):
    plan = _plan_of(self)
    plan.backup_plan = json.loads(self.body)["BackupPlan"]
    return json.dumps({"BackupPlanId": plan.backup_plan_id})


def _create_backup_selection(self):
    plan = _plan_of(self)
    plan.selections = [*getattr(plan, "selections", ()), json.loads(self.body)["BackupSelection"]]
    number = str(len(plan.selections))
    return json.dumps({"SelectionId": number, "BackupPlanId": plan.backup_plan_id})


def _list_backup_selections(self):
    listed = [
        {"SelectionId": str(number), "SelectionName": each["SelectionName"]}
        for number, each in enumerate(getattr(_plan_of(self), "selections", ()), start=1)
    ]
    return json.dumps({"BackupSelectionsList": listed})


def _delete_backup_selection(self):
    _plan_of(self).selections.pop()
    return "{}"


def _list_recovery_points(self):
    arn = unquote(self.path).split("/resources/")[1].removesuffix("/recovery-points/")
    return json.dumps({"RecoveryPoints": recovery_points.get(arn, [])})


def add_backup(arn, status="COMPLETED"):
    """Let AWS Backup have made one."""
    made = {"Status": status, "CreationDate": datetime(2030, 1, 2, 3, tzinfo=UTC).timestamp()}
    recovery_points.setdefault(arn, []).append(made)


def the_cluster(identifier):
    """moto's own cluster."""
    return dsql_backends[ACCOUNT][REGION].clusters[identifier]


def the_plan():
    """moto's own plan of AWS Backup, which has no other."""
    plans = [p for p in backup_backends[ACCOUNT][REGION].plans.values() if not p.deletion_date]
    return plans[0] if plans else None


def fill():
    """Once per process, before the server starts."""
    dsql_backends._additional_regions.append(REGION)
    AuroraDSQLBackend.create_cluster = _created
    BackupResponse.update_backup_plan = _update_backup_plan
    BackupResponse.create_backup_selection = _create_backup_selection
    BackupResponse.list_backup_selections = _list_backup_selections
    BackupResponse.delete_backup_selection = _delete_backup_selection
    BackupResponse.list_recovery_points_by_resource = _list_recovery_points
    urls.url_paths["{0}/resources/(?P<arn>.+)$"] = urls.response.dispatch
