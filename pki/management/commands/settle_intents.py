"""Settle abandoned intents."""

from typing import Any

from pki.operators.command import OperatorCommand, command_actor
from pki.operators.effects import Effect
from pki.record.intents import ABANDONED_AFTER, settle_intents


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Make abandoned intents void, which a crash leaves behind. CRLs list their serial numbers, "
        "because a signature may exist. Let a schedule run this every hour."
    )
    effect = Effect.DATABASE

    def handle(self, *args: Any, **options: Any) -> None:
        """Print how many intents were made void."""
        count = settle_intents(actor=command_actor())
        hours = ABANDONED_AFTER.total_seconds() / 3600
        self.say(f"abandoned intents (older than {hours:g} h) made void: {count}", void=count)
