"""What the aws_ commands share."""

from typing import Any

from django.core.management.base import CommandError

from estserver.deploy.steps import StepFailed
from pki.commands import REFUSED, REMOTE_FAILURE, OperatorCommand


class DeployCommand(OperatorCommand):
    """Prints as it goes; a step that AWS refused ends with 3, as any remote failure."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run, and keep the exit codes apart."""
        try:
            return super().execute(*args, **options)
        except CommandError as error:
            failed = error.__cause__
            if isinstance(failed, StepFailed):
                code = REMOTE_FAILURE if failed.is_remote else REFUSED
                raise CommandError(str(failed), returncode=code) from failed
            raise

    def say(self, line: str) -> None:
        """One line, at once: some calls take minutes."""
        self.stdout.write(line)
        self.stdout.flush()
