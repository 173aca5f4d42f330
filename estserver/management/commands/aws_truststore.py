"""The CAs that API Gateway trusts."""

from typing import Any

from django.core.management.base import CommandParser

from estserver.deploy.calls import Performer
from estserver.deploy.command import DeployCommand
from estserver.deploy.deployment import Deployment, current_deployment
from estserver.deploy.run import print_calls
from estserver.deploy.steps import Intended
from estserver.deploy.truststore import Bundle, compare, describe
from estserver.deploy.truststore_object import put_call, read_version, versions
from estserver.deploy.truststore_pushes import (
    activate,
    active_version,
    check_removals,
    push,
    record_first_activation,
    wanted_bundle,
)
from estserver.models import TruststorePush
from pki.commands import command_actor
from pki.exceptions import OperatorError

EMPTY = Bundle(())


class Command(DeployCommand):
    """See ``help``."""

    help = (
        "Compare the CAs that API Gateway trusts with those on record. --push puts them into S3 "
        "as a new version and lets the domain trust it; --to goes back to an earlier version. "
        "Without either, shows the difference and the versions."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """What to do, and why."""
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--push", action="store_true", help="push the CAs on record, activate")
        what.add_argument("--to", metavar="VERSION", help="go back, or on, to a version")
        what.add_argument(
            "--record-first-activation",
            action="store_true",
            help="write down what a domain that aws_deploy has just made was made to trust",
        )
        parser.add_argument(
            "--no-activate", action="store_true", help="with --push: let nothing trust it yet"
        )
        parser.add_argument("--reason", default="", help="for the audit trail")
        parser.add_argument(
            "--yes", action="store_true", help="turn clients away whose CA is removed"
        )
        parser.add_argument("--dry-run", action="store_true", help="show, change nothing")

    def handle(
        self,
        *args: Any,
        to: str | None,
        no_activate: bool,
        reason: str,
        yes: bool,
        dry_run: bool,
        **options: Any,
    ) -> None:
        """The difference, then what was done about it."""
        deployment = current_deployment()
        if options["record_first_activation"]:
            record_first_activation(deployment, actor=command_actor())
            return
        active = active_version(deployment)
        old = read_version(deployment, active) if active else EMPTY
        new = read_version(deployment, to) if to else wanted_bundle()
        is_same = self._show(old, new)
        if not options["push"] and not to:
            self._show_versions(deployment, active)
            return
        if not reason and not dry_run:
            raise OperatorError("say why with --reason: it goes into the audit trail")
        if not yes:
            check_removals(old, new)
        if dry_run:
            if not is_same and not to:
                call = put_call(deployment, new, "the CAs are others now")
                print_calls([Intended("truststore", (call,))], self.say)
            return
        performer, actor = Performer(self.say), command_actor()
        version_id = to
        if version_id is None:
            pushed = push(deployment, new, actor=actor, reason=reason, performer=performer)
            version_id = pushed.version_id
            self.say(f"pushed: version {version_id}, {pushed.certificate_count} CAs")
            if no_activate:
                self.say(f"nothing trusts it yet; aws_truststore --to {version_id} activates it")
                return
        activate(deployment, version_id, actor=actor, reason=reason, performer=performer)
        self.say(f"active: version {version_id}")

    def _show(self, old: Bundle, new: Bundle) -> bool:
        """Each CA with what happens to it; returns whether nothing does."""
        difference = compare(old, new)
        for sign, certificates in (
            ("+", difference.added),
            ("-", difference.removed),
            (" ", difference.kept),
        ):
            for certificate in certificates:
                self.say(f"{sign} {describe(certificate)}")
        return difference.is_empty

    def _show_versions(self, deployment: Deployment, active: str) -> None:
        on_record = {row.version_id: row for row in TruststorePush.objects.all()}
        self.say("versions, the newest first:")
        for version in versions(deployment):
            row = on_record.get(version.version_id)
            mark = "active" if version.version_id == active else ""
            who = f"{row.pushed_by}: {row.reason}" if row else "not pushed by this tool"
            self.say(f"  {version.version_id}  {version.made_at:%Y-%m-%d %H:%M}  {mark:6}  {who}")
