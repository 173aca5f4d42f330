"""The command that `sync_template` and `sync_policy` are."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from iotprov.conf import targets_named
from iotprov.documents.before_push import name_to_type
from iotprov.documents.kept import is_kept
from iotprov.documents.push import Outcome, push_everywhere
from iotprov.documents.validation import problems_of
from iotprov.documents.versions import (
    Kind,
    add_version,
    body_in_force,
    body_of_file,
    current,
)
from pki.operators.command import REFUSED, REMOTE_FAILURE, OperatorCommand, command_actor, refuse
from pki.operators.effects import Effect
from pki.operators.errors import RemoteFailure


class SyncCommand(OperatorCommand):
    """Pushes the document of ``kind`` to the targets, and prints a line for each."""

    kind: Kind
    effect = Effect.MORE
    is_dangerous = True

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the target, the dry run, and the file to take first."""
        parser.add_argument("--target", metavar="NAME", help="this one only; default: all of them")
        parser.add_argument(
            "--dry-run", action="store_true", help="show what would change, and change nothing"
        )
        parser.add_argument(
            "--from-file",
            action="store_true",
            help="first put the configured file in force, as a new version, if it differs",
        )
        parser.add_argument(
            "--reason", default="", help="for --from-file: the reason of the change"
        )

    def handle(
        self,
        *args: Any,
        target: str | None,
        dry_run: bool,
        from_file: bool,
        reason: str,
        yes: bool,
        **options: Any,
    ) -> None:
        """Push, and exit with code 3 if AWS failed at a target, with 1 if a push was refused."""
        # Step 1: the text in force, which may come from the file first.
        targets = targets_named(target)
        if from_file:
            self._take_file(reason, dry_run=dry_run)
        body = body_in_force(self.kind)
        for problem in problems_of(self.kind, body, is_kept=is_kept(self.kind, body)):
            if not problem.is_error:  # the push raises errors
                self.stderr.write(f"Warning: {problem}")

        # Step 2: a policy that allows everything is confirmed, as on the page of a push.
        name = "" if dry_run else name_to_type(self.kind, body)
        if name:
            self.say(f"{name} allows every action of AWS IoT.")
            self.confirm(name, is_confirmed=yes)

        # Step 3: each target, and a line about it. A failure stops no other target.
        outcomes = push_everywhere(
            self.kind, actor=command_actor(), targets=targets, dry_run=dry_run
        )
        failed = [outcome for outcome in outcomes if outcome.failure]
        for outcome in outcomes:
            if not outcome.failure:
                self._print(outcome)
        if failed:
            is_remote = any(isinstance(outcome.failure, RemoteFailure) for outcome in failed)
            raise CommandError(
                "\n".join(f"{outcome.target}: {outcome.line}" for outcome in failed),
                returncode=REMOTE_FAILURE if is_remote else REFUSED,
            )

    def _print(self, outcome: Outcome) -> None:
        self.say(
            f"{outcome.target}: {outcome.line}",
            target=outcome.target,
            is_changed=outcome.is_changed,
            aws_version=outcome.aws_version,
            notes=outcome.notes,
            diff=outcome.diff,
        )
        if self.is_json:
            return
        for note in outcome.notes:
            self.say(f"  {note}")
        if outcome.diff:
            self.say(outcome.diff)

    def _take_file(self, reason: str, *, dry_run: bool) -> None:
        body, version = body_of_file(self.kind), current(self.kind)
        if version is not None and version.body == body:
            self.say(f"the file is the same as {version}")
        elif dry_run:
            refuse("--from-file changes the text in force. Leave out --dry-run, or --from-file.")
        elif not reason.strip():
            refuse("A new version needs a reason. Give one with --reason.")
        else:
            made = add_version(self.kind, body, actor=command_actor(), reason=reason)
            self.say(f"{made} is in force, from the file", version=made.number)
