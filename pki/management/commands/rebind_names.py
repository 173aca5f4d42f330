"""Move the thing names of a client certificate that is replaced."""

from typing import Any

from django.core.management.base import CommandParser

from pki.denylist.values import pem_in_file
from pki.issuance.rebind import rebind_names
from pki.operators.command import OperatorCommand, command_actor
from pki.operators.effects import Effect

_TYPED = 64  # characters: a SHA-256, or a file's name


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Move all thing names that a client certificate holds to another one, for a factory "
        "certificate that is replaced."
    )
    effect = Effect.MORE
    is_dangerous = True

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the two clients, and the reason."""
        what = "SHA-256 of the client certificate, or its PEM file"
        parser.add_argument("--from", required=True, dest="old", metavar="CLIENT", help=what)
        parser.add_argument("--to", required=True, dest="new", metavar="CLIENT", help=what)
        parser.add_argument("--reason", required=True, help="kept on the audit trail")
        parser.add_argument("--dry-run", action="store_true", help="only say how many names move")

    def handle(
        self, *args: Any, old: str, new: str, reason: str, dry_run: bool, yes: bool, **options: Any
    ) -> None:
        """Print how many names move, then how many have moved."""
        clients = pem_in_file(old), pem_in_file(new)
        actor = command_actor()
        count = rebind_names(*clients, reason=reason, actor=actor, is_dry_run=True)
        self.say(f"thing names that move to the other client: {count}", names=count)
        if dry_run:
            self.say("nothing was changed (--dry-run)")
            return
        self.confirm(new if len(new) <= _TYPED else str(count), is_confirmed=yes)
        moved = rebind_names(*clients, reason=reason, actor=actor)
        self.say(f"thing names moved: {moved}", names=moved)
