"""Take over an installation of the CDK sample."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from iotprov.adoption.installation import import_installation
from iotprov.adoption.lines import State, table
from pki.operators.command import REMOTE_FAILURE, OperatorCommand, command_actor


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Put an installation of the CDK sample on record, by the names in its configuration "
        "file: CAs in Secrets Manager, the CA's registration, template and policy. Changes "
        "nothing in AWS; run bootstrap_cas next."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """``--dry-run``."""
        parser.add_argument(
            "--dry-run", action="store_true", help="say what is there, and write nothing"
        )

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        """A table of what was found; exit code 3 when something couldn't be looked at."""
        lines = import_installation(actor=command_actor(), is_dry_run=dry_run)
        self.stdout.write(table(lines))
        failures = sum(line.state == State.FAILED for line in lines)
        if failures:
            raise CommandError(
                f"{failures} couldn't be looked at: mend what the lines name, and run import_aws "
                "again",
                returncode=REMOTE_FAILURE,
            )
