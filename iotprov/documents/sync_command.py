"""What `sync_template` and `sync_policy` share."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from iotprov.conf import IoTTarget, find_target, iot_settings, setting_name
from iotprov.documents.push import Outcome, push_everywhere
from iotprov.documents.validation import problems_of
from iotprov.documents.versions import Kind, add_version, body_in_force, body_of_file, current
from pki.operators.command import REFUSED, REMOTE_FAILURE, OperatorCommand, command_actor, refuse
from pki.operators.errors import RemoteFailure


class SyncCommand(OperatorCommand):
    """Pushes the document of ``kind`` to the targets; a line for each."""

    kind: Kind

    def add_arguments(self, parser: CommandParser) -> None:
        """Where to, and whether really."""
        parser.add_argument("--target", metavar="NAME", help="this one only; default: all of them")
        parser.add_argument(
            "--dry-run", action="store_true", help="show what would change, and change nothing"
        )
        parser.add_argument(
            "--from-file",
            action="store_true",
            help="first put the configured file in force, as a new version, where it differs",
        )
        parser.add_argument("--reason", default="", help="for --from-file: why it changes")

    def handle(
        self,
        *args: Any,
        target: str | None,
        dry_run: bool,
        from_file: bool,
        reason: str,
        **options: Any,
    ) -> None:
        """Exit code 3 when AWS failed at a target, 1 when one was refused for another reason."""
        targets = _targets(target)
        if from_file:
            self._take_file(reason, dry_run=dry_run)
        for problem in problems_of(self.kind, body_in_force(self.kind)):
            if not problem.is_error:  # errors are raised when it is pushed
                self.stderr.write(f"warning: {problem}")
        outcomes = push_everywhere(
            self.kind, actor=command_actor(), targets=targets, dry_run=dry_run
        )
        failed = [outcome for outcome in outcomes if outcome.failure]
        for outcome in outcomes:
            if not outcome.failure:
                self._tell(outcome)
        if failed:
            is_remote = any(isinstance(outcome.failure, RemoteFailure) for outcome in failed)
            raise CommandError(
                "\n".join(f"{outcome.target}: {outcome.line}" for outcome in failed),
                returncode=REMOTE_FAILURE if is_remote else REFUSED,
            )

    def _tell(self, outcome: Outcome) -> None:
        self.stdout.write(f"{outcome.target}: {outcome.line}")
        for note in outcome.notes:
            self.stdout.write(f"  {note}")
        if outcome.diff:
            self.stdout.write(outcome.diff)

    def _take_file(self, reason: str, *, dry_run: bool) -> None:
        body, version = body_of_file(self.kind), current(self.kind)
        if version is not None and version.body == body:
            self.stdout.write(f"the file is the same as {version}")
        elif dry_run:
            refuse("--from-file changes what is in force: leave out --dry-run, or --from-file")
        elif not reason.strip():
            refuse("say why the document changes: --reason")
        else:
            made = add_version(self.kind, body, actor=command_actor(), reason=reason)
            self.stdout.write(f"{made} is in force, from the file")


def _targets(name: str | None) -> tuple[IoTTarget, ...]:
    if name is None:
        return iot_settings().targets
    target = find_target(name)
    if target is None:
        known = ", ".join(target.name for target in iot_settings().targets)
        refuse(f"there is no target {name!r} in {setting_name('targets')}: choose one of {known}")
    return (target,)
