"""Show, push and activate the CAs that API Gateway trusts."""

from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandParser

from estserver.deploy.command import DeployCommand
from estserver.deploy.deployment import Deployment, current_deployment
from estserver.deploy.engine.performer import Performer
from estserver.deploy.engine.runs import Intended
from estserver.deploy.front_door.truststore_object import latest_version
from estserver.deploy.lifecycle.deploy import print_calls
from estserver.deploy.truststore.bundle import Bundle, compare, describe
from estserver.deploy.truststore.comparison import trusted_now
from estserver.deploy.truststore.pushes import (
    activate,
    check_is_as_pushed,
    check_removals,
    let_trust,
    push,
    record_activation,
    record_first_activation,
    wanted_bundle,
)
from estserver.deploy.truststore.record import (
    COMMAND,
    as_json,
    pushes_here,
    pushes_on_record,
    record_keeper,
)
from estserver.deploy.truststore.versions import put_call, read_version, versions
from estserver.deploy.zappa.admin_function import run_aloud
from pki.operators.command import command_actor
from pki.operators.effects import Effect
from pki.operators.errors import OperatorError

_PASSED_ON = (
    *("push", "to", "record_first_activation", "record_activation"),
    *("no_activate", "yes", "dry_run", "reason"),
)
"""Options that mean the same in the admin's function."""


class Command(DeployCommand):
    """See ``help``."""

    help = (
        "Compare the CAs that API Gateway trusts with those on record. --push puts them into S3 "
        "as a new version and lets the domain trust it. --to goes back to an earlier version. "
        "Without either, shows the difference and the versions. CAs and record are those of the "
        "admin's function, in which the command runs what needs them."
    )
    effect = Effect.MORE
    is_dangerous = True

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what to do, and why."""
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--push", action="store_true", help="push the CAs on record, activate")
        what.add_argument("--to", metavar="VERSION", help="go back, or on, to a version")
        what.add_argument(
            "--record-first-activation",
            action="store_true",
            help="record the version with which aws_deploy has made a domain",
        )
        what.add_argument(
            "--record-activation",
            metavar="VERSION",
            help="record that the domain trusts a version now",
        )
        what.add_argument(
            "--pushes", action="store_true", help="print the record of pushes, as JSON"
        )
        parser.add_argument(
            "--no-activate",
            action="store_true",
            help="with --push: let no domain trust it yet; with --to: only check the version",
        )
        parser.add_argument("--reason", default="", help="for the audit trail")
        parser.add_argument(
            "--yes", action="store_true", help="turn clients away whose CA is removed"
        )
        parser.add_argument("--dry-run", action="store_true", help="show, change nothing")
        parser.add_argument(
            "--here",
            action="store_true",
            help="CAs and record are in the database that this machine is configured for, as where "
            "the admin is a container, and not in that of the admin's function",
        )

    def handle(self, *args: Any, here: bool, **options: Any) -> None:
        """Do the work in the function that has the record, or here."""
        deployment = current_deployment()
        if options["pushes"]:
            self.say(as_json(pushes_on_record(deployment, is_here=here)))
            return
        keeper = record_keeper(deployment, is_here=here)
        if keeper:
            self._in_function(keeper, deployment, options)
        else:
            self._here(deployment, **options)

    def _in_function(self, keeper: str, deployment: Deployment, options: dict[str, Any]) -> None:
        """Compare, push and record in the function ``keeper``, and activate from here.

        An activation may take API Gateway longer than a function may run.
        """
        is_change = bool(options["push"] or options["to"])
        if is_change and not options["dry_run"]:
            _checked_reason(options["reason"])
        there = {**options, "no_activate": is_change}
        run_aloud(keeper, *COMMAND, *_arguments(there), say=self.say)
        if not is_change or options["no_activate"] or options["dry_run"]:
            return
        pushes = pushes_on_record(deployment, is_here=False)
        version_id = options["to"] or latest_version(deployment)
        outcome = let_trust(deployment, version_id, pushes, Performer(self.say))
        if outcome.is_news:
            noted = {"record_activation": version_id, "reason": options["reason"]}
            run_aloud(keeper, *COMMAND, *_arguments(noted), say=self.say)
        self.say(f"active: version {version_id}")

    def _here(
        self,
        deployment: Deployment,
        *,
        to: str | None,
        no_activate: bool,
        reason: str,
        yes: bool,
        dry_run: bool,
        **options: Any,
    ) -> None:
        """Show the difference, then push, activate or record with the database at hand."""
        actor = command_actor()
        if options["record_first_activation"]:
            record_first_activation(deployment, actor=actor)
            return
        if options["record_activation"]:
            version_id = options["record_activation"]
            record_activation(deployment, version_id, actor=actor, reason=_checked_reason(reason))
            return
        now = trusted_now(deployment)
        active, old = now.version, now.bundle
        new = read_version(deployment, to) if to else wanted_bundle()
        is_same = self._show(old, new)
        if not options["push"] and not to:
            for warning in now.warnings:
                self.say(warning)
            self._show_versions(deployment, active)
            return
        if not dry_run:
            _checked_reason(reason)
        if to:
            check_is_as_pushed(deployment, to, pushes_here(deployment))
        if not yes:
            check_removals(old, new)
        if dry_run:
            if not is_same and not to:
                call = put_call(deployment, new, "the CAs differ")
                print_calls([Intended("truststore", (call,))], self.say)
            return
        performer = Performer(self.say)
        version_id = to
        if version_id is None:
            pushed = push(deployment, new, actor=actor, reason=reason, performer=performer)
            version_id = pushed.version_id
            self.say(f"pushed: version {version_id}, {pushed.certificate_count} CAs")
        if no_activate:
            if version_id != active:
                self.say(f"No domain trusts it yet. aws_truststore --to {version_id} activates it.")
            return
        activate(deployment, version_id, actor=actor, reason=reason, performer=performer)
        self.say(f"active: version {version_id}")

    def _show(self, old: Bundle, new: Bundle) -> bool:
        """Print each CA with what happens to it; return whether none is added or removed."""
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
        on_record = {row.version_id: row for row in pushes_here(deployment)}
        self.say("versions, the newest first:")
        for version in versions(deployment):
            row = on_record.get(version.version_id)
            mark = "active" if version.version_id == active else ""
            who = f"{row.pushed_by}: {row.reason}" if row else "not pushed by this tool"
            self.say(f"  {version.version_id}  {version.made_at:%Y-%m-%d %H:%M}  {mark:6}  {who}")


def _arguments(options: Mapping[str, Any]) -> list[str]:
    """Return the options as a person types them."""
    typed = []
    for name in _PASSED_ON:
        value = options.get(name)
        if value:
            option = f"--{name.replace('_', '-')}"
            typed.append(option if value is True else f"{option}={value}")
    return typed


def _checked_reason(reason: str) -> str:
    if not reason:
        raise OperatorError("Say why with --reason. The reason is kept on the audit trail.")
    return reason
