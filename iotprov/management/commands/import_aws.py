"""Take over an installation of the CDK sample."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from iotprov.adoption.installation import import_installation
from iotprov.adoption.lines import State, table
from pki.operators.command import REMOTE_FAILURE, OperatorCommand, command_actor
from pki.operators.effects import Effect


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Record an installation of the CDK sample, by the names in its configuration "
        "file: CAs in Secrets Manager, the CA's registration, template and policy. Changes "
        "nothing in AWS; run bootstrap_cas next."
    )
    effect = Effect.MORE

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``--dry-run``."""
        parser.add_argument(
            "--dry-run", action="store_true", help="show what is there, and write nothing"
        )

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        """Print a table of what was found. Exit with code 3 if AWS refused something."""
        lines = import_installation(actor=command_actor(), is_dry_run=dry_run)
        self.say(table(lines))
        failures = sum(line.state == State.FAILED for line in lines)
        if failures:
            raise CommandError(
                f"{failures} of the parts could not be read. Correct what their lines name, and "
                "run import_aws again.",
                returncode=REMOTE_FAILURE,
            )
