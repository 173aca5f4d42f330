"""Take away from AWS what was deployed."""

import json
from typing import Any

from django.core.management.base import CommandParser

from estserver.deploy import deploy
from estserver.deploy.command import DeployCommand
from estserver.deploy.deployment import Deployment, current_deployment
from estserver.deploy.engine.performer import Performer
from estserver.deploy.engine.runs import intentions, take_away
from estserver.deploy.recipe import removable, remover_policies
from estserver.deploy.resources.buckets.deployment_buckets import audit_heads_bucket
from estserver.deploy.rights.gateway_logs import others_that_log
from pki.operators.errors import OperatorError


class Command(DeployCommand):
    """See ``help``."""

    help = (
        "Take away from AWS what zappa deploy and aws_deploy made, and nothing else: what does not "
        "carry the installation's tag stays. --plan lists it, --yes does it. Things and device "
        "certificates in AWS IoT stay in any case, and so does the bucket of the audit trail's "
        "heads unless --bucket names it. Revoke those that should not be used any more."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take whether to list or to remove, and what stays."""
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--plan", action="store_true", help="list the calls, make none")
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
        )
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


def _is_audit_heads_bucket(deployment: Deployment, named: str) -> bool:
    """Return whether the bucket is named. Raises ``OperatorError`` for the name of another."""
    if named and named != deployment.audit_heads_bucket:
        raise OperatorError(
            f"{named} is not the bucket of the audit trail's heads, which is "
            f"{deployment.audit_heads_bucket}. No other bucket needs to be named."
        )
    return bool(named)
