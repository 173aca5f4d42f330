"""Take a device or client off the denylist."""

from typing import Any

from django.core.management.base import CommandParser

from pki.denylist.entries import allow
from pki.denylist.kinds import normalize, value_or_certificate
from pki.management.commands.deny import add_entry_arguments
from pki.operators.command import OperatorCommand, command_actor, refuse
from pki.operators.effects import Effect


class Command(OperatorCommand):
    """See ``help``."""

    help = "Take a device or client off the denylist. What was revoked stays revoked."
    effect = Effect.DATABASE

    def add_arguments(self, parser: CommandParser) -> None:
        """Add what is allowed again, and why."""
        add_entry_arguments(parser)

    def handle(self, *args: Any, kind: str, value: str, reason: str, **options: Any) -> None:
        """Print what is allowed again. An entry that is not there may be a typing error: refuse."""
        value = normalize(kind, value_or_certificate(kind, value))
        if not allow(kind, value, reason=reason, actor=command_actor()):
            refuse(f"{kind} {value} is not on the denylist. Nothing was changed.")
        self.say(f"{kind} {value} is off the denylist", kind=kind, value=value)
