"""Stop trusting and publishing a CA after a rollover."""

from typing import Any

from django.core.management.base import CommandParser

from pki.authorities.distrust import retire_authority
from pki.authorities.trust_effects import live_certificates
from pki.management.commands.distrust_ca import follow
from pki.operators.command import OperatorCommand, command_actor
from pki.operators.effects import Effect
from pki.record.find import find_authority


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Stop trusting and publishing a CA that has a successor, once its certificates are "
        "renewed. For a CA that is compromised there is distrust_ca."
    )
    effect = Effect.MORE
    is_dangerous = True

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the CA, and the reason."""
        parser.add_argument("ca", metavar="CA", help="the CA's name")
        parser.add_argument("--reason", required=True, help="kept on the audit trail")
        parser.add_argument(
            "--yes", action="store_true", help="even while live certificates depend on it"
        )
        parser.add_argument(
            "--here",
            action="store_true",
            help="as of distrust_ca: let the gateway of this machine's database follow",
        )

    def handle(
        self, *args: Any, ca: str, reason: str, yes: bool, here: bool, **options: Any
    ) -> None:
        """Print what was done, and what remains to do."""
        row = find_authority(ca)
        self.stdout.write(f"live certificates that depend on {row}: {live_certificates(row)}")
        retire_authority(row, reason=reason, actor=command_actor(), is_forced=yes)
        self.stdout.write(f"retired: {row}, which is neither trusted nor published any more")
        follow(self, row.name, reason=reason, is_here=here)
