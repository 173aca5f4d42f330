"""Stop trusting and publishing a CA after a rollover."""

from typing import Any

from django.core.management.base import CommandParser

from pki.authorities.distrust import retire_authority
from pki.authorities.trust_effects import live_certificates, retire_obstacle
from pki.management.commands.distrust_ca import follow
from pki.operators.command import OperatorCommand, command_actor, refuse
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
            "--yes",
            action="store_true",
            help="do not ask for the name, even while live certificates depend on it",
        )
        parser.add_argument(
            "--here",
            action="store_true",
            help="as of distrust_ca: let the gateway of this machine's database follow",
        )

    def handle(
        self,
        *args: Any,
        ca: str,
        reason: str,
        yes: bool,
        dry_run: bool,
        here: bool,
        **options: Any,
    ) -> None:
        """Print what was done, and what remains to do."""
        row = find_authority(ca)
        count = live_certificates(row)
        self.say(f"live certificates that depend on {row}: {count}", ca=row.name, live=count)
        if obstacle := retire_obstacle(row):
            refuse(obstacle)
        if dry_run:
            self.say("nothing was changed (--dry-run)")
            return
        self.confirm(row.name, is_confirmed=yes)
        retire_authority(row, reason=reason, actor=command_actor(), is_forced=True)
        self.say(f"retired: {row}, which is neither trusted nor published any more", ca=row.name)
        follow(self, row.name, reason=reason, is_here=here)
