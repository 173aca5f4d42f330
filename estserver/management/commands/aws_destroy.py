"""Take away from AWS what was deployed."""

import json
from typing import Any

from django.core.management.base import CommandParser

from estserver.deploy.command import DeployCommand
from estserver.deploy.deployment import Deployment, current_deployment
from estserver.deploy.engine.performer import Performer
from estserver.deploy.engine.runs import intentions, take_away
from estserver.deploy.lifecycle import deploy
from estserver.deploy.recipe import removable, remover_policies
from estserver.deploy.resources.buckets.deployment_buckets import audit_heads_bucket
from estserver.deploy.rights.dsql_cluster import cluster_in_use, last_backup
from estserver.deploy.rights.gateway_logs import others_that_log
from estserver.deploy.zappa.admin_function import run_in_function
from pki.operators.effects import Effect
from pki.operators.errors import OperatorError


class Command(DeployCommand):
    """See ``help``."""

    help = (
        "Take away from AWS what zappa deploy and aws_deploy made, and nothing else: what does not "
        "carry the installation's tag stays. --plan lists it, --yes does it. Things and device "
        "certificates in AWS IoT stay in any case, and so does the bucket of the audit trail's "
        "heads unless --bucket names it. Revoke those that should not be used any more."
    )
    effect = Effect.MORE
    is_dangerous = True

    def add_arguments(self, parser: CommandParser) -> None:
        """Take whether to list or to remove, and what stays."""
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument(
            "--plan", "--dry-run", action="store_true", help="list the calls, make none"
        )
        what.add_argument("--yes", action="store_true", help="list them, then make them")
        what.add_argument(
            "--permissions",
            action="store_true",
            help="print the policy that this needs beside those of aws_deploy --permissions",
        )
        parser.add_argument(
            "--keep-secrets",
            action="store_true",
            help="leave the CAs' secrets and keys, and the key that secrets are encrypted with",
        )
        parser.add_argument(
            "--bucket",
            metavar="NAME",
            default="",
            help="remove this bucket too, which stays otherwise: that of the audit trail's heads, "
            "although S3 has locked them",
        )
        parser.add_argument(
            "--with-database",
            metavar="ID",
            default="",
            help="delete this cluster of Aurora DSQL too, which stays otherwise. It has the only "
            "record of what the CAs issued. Its backups stay",
        )
        parser.add_argument(
            "--with-iot",
            action="store_true",
            help="remove registered CAs, template, policy and role from AWS IoT too: devices lose "
            "the rights that the policy gives them",
        )

    def handle(
        self,
        *args: Any,
        yes: bool,
        keep_secrets: bool,
        with_iot: bool,
        bucket: str = "",
        with_database: str = "",
        **options: Any,
    ) -> None:
        """Print the calls; with --yes, make them."""
        deployment = current_deployment()
        if options["permissions"]:
            self.say(json.dumps(remover_policies(deployment), indent=2))
            return
        steps = removable(
            deployment,
            with_secrets=not keep_secrets,
            with_iot=with_iot,
            with_audit_heads=_is_audit_heads_bucket(deployment, bucket),
            with_database=_is_database(deployment, with_database),
        )
        self._say_what_stays_of_the_database(deployment, is_named=bool(with_database))
        if not bucket:
            self._say_what_stays(deployment)
        self._say_who_else_logs(deployment)
        intended = intentions(list(reversed(steps)), removing=True)
        if not intended:
            self.say("nothing is left that this tool made")
            return
        deploy.print_calls(intended, self.say)
        if not yes:
            self.say("Nothing was removed. Add --yes to remove all of this.")
            return
        gone = take_away(steps, Performer(self.say))
        self.say(f"removed: {', '.join(gone)}")
        if not keep_secrets:
            self.say(
                "Secrets and keys can be restored for 30 days: manage.py aws_deploy --prepare "
                "--restore, and then deploy as before."
            )

    def _say_what_stays(self, deployment: Deployment) -> None:
        if audit_heads_bucket(deployment).look().is_there:
            name = deployment.audit_heads_bucket
            self.say(
                f"The bucket {name} stays. It holds the heads of the audit trail, which show later "
                f"whether the trail is whole. To remove it too, add --bucket {name}."
            )

    def _say_who_else_logs(self, deployment: Deployment) -> None:
        if others := others_that_log(deployment):
            self.say(
                f"The role {deployment.gateway_log_role} stays, and so does API Gateway's setting "
                "that names it, because other APIs of this account log with it: "
                f"{', '.join(others)}. When they do not any more, run this again."
            )

    def _say_what_stays_of_the_database(self, deployment: Deployment, *, is_named: bool) -> None:
        cluster = cluster_in_use(deployment)
        if cluster is None:
            return
        newest = last_backup(cluster)
        backups = f"the newest backup is of {newest}" if newest else "there is no backup of it"
        if is_named:
            self.say(
                f"The cluster {cluster.identifier} goes, and with it the only record of what the "
                f"CAs issued: {_record_size(deployment)}; {backups}. Backups stay in the vault "
                f"{deployment.backup_vault} until they expire."
            )
        else:
            self.say(
                f"The cluster {cluster.identifier} stays, with the record of what the CAs issued; "
                f"{backups}. To delete it too, add --with-database {cluster.identifier}."
            )


def _record_size(deployment: Deployment) -> str:
    """Return how many certificates the database holds, as the admin's function says it."""
    try:
        return run_in_function(deployment.live_function("admin"), "count_certificates").strip()
    except OperatorError as error:  # a removal that was cut off has no function any more
        return f"how many certificates it holds is not known ({str(error).rstrip('.')})"


def _is_database(deployment: Deployment, named: str) -> bool:
    """Return whether the cluster is named. Raises ``OperatorError`` for another's id."""
    cluster = cluster_in_use(deployment) if named else None
    if named and (cluster is None or named != cluster.identifier):
        is_there = f"is {cluster.identifier}" if cluster else "is none that this tool made"
        raise OperatorError(
            f"{named} is not the database of {deployment.project}, which {is_there}. Nothing was "
            "removed. Type the id as aws_destroy --plan prints it."
        )
    return bool(named)


def _is_audit_heads_bucket(deployment: Deployment, named: str) -> bool:
    """Return whether the bucket is named. Raises ``OperatorError`` for the name of another."""
    if named and named != deployment.audit_heads_bucket:
        raise OperatorError(
            f"{named} is not the bucket of the audit trail's heads, which is "
            f"{deployment.audit_heads_bucket}. No other bucket needs to be named."
        )
    return bool(named)
