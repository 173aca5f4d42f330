"""Settle intents that were left over."""

from typing import Any

from pki.operators.command import OperatorCommand, command_actor
from pki.record.intents import ABANDONED_AFTER, settle_intents


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Turn intents void that nobody came back for (a crash came between). Their serial numbers "
        "go on the CRL, for a signature may exist. For a schedule: hourly is enough."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """One line: how many there were."""
        count = settle_intents(actor=command_actor())
        hours = ABANDONED_AFTER.total_seconds() / 3600
        self.stdout.write(f"abandoned intents (older than {hours:g} h) made void: {count}")
