"""Make or import the CAs that the configuration asks for."""

from typing import Any

from django.core.management.base import CommandParser

from pki.authorities.bootstrap import bootstrap_cas
from pki.authorities.bootstrap_plan import planned_bootstrap
from pki.operators.command import OperatorCommand, command_actor
from pki.operators.effects import Effect


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Make or import the device CA, the client CA, the default profile and a test client, as "
        "the configuration says. What exists already stays as it is."
    )
    effect = Effect.MORE

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``--force``."""
        parser.add_argument(
            "--force",
            action="store_true",
            help="make successors of the existing CAs, which stay trusted",
        )

    def handle(self, *args: Any, force: bool, dry_run: bool, **options: Any) -> None:
        """Print a line for each step."""
        lines = (
            planned_bootstrap(force=force)
            if dry_run
            else bootstrap_cas(actor=command_actor(), force=force)
        )
        for line in lines:
            self.say(line)
