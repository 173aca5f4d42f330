"""Drain the outbox."""

from typing import Any

from django.core.management.base import CommandParser

from iotprov.conf import targets_named
from iotprov.models import Provisioning
from iotprov.provisioning.outbox import hurry
from iotprov.provisioning.worker import drain
from pki.operators.command import OperatorCommand
from pki.operators.effects import Effect


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Make AWS IoT agree with the record: work on every row of the outbox that is due. Safe to "
        "run at any time, and several times at once. Exit code 3 if AWS failed for some rows."
    )
    effect = Effect.MORE

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the limits, and the target."""
        parser.add_argument("--limit", type=int, help="work on at most this many rows")
        parser.add_argument("--seconds", type=float, help="stop after this many seconds")
        parser.add_argument("--target", default="", help="only at the target of this name")
        parser.add_argument(
            "--now",
            action="store_true",
            help="do not wait for the next attempt of rows that failed: the cause is corrected",
        )

    def handle(
        self,
        *args: Any,
        limit: int | None,
        seconds: float | None,
        target: str,
        now: bool,
        dry_run: bool,
        **options: Any,
    ) -> None:
        """Print one line: what was done, and what is left."""
        targets_named(target)  # refuses a name that no target has
        rows = Provisioning.objects.filter(target=target) if target else Provisioning.objects.all()
        if dry_run:
            due, pending = rows.due().count(), rows.pending().count()
            self.say(
                f"rows of the outbox that are due: {due}, waiting in all: {pending}; AWS was not "
                "called (--dry-run)",
                due=due,
                waiting=pending,
            )
            return
        if now:
            hurry(target)
        done = drain(limit=limit, seconds=seconds, target=target)
        waiting, parked = rows.pending().count(), rows.parked().count()
        self.say(
            f"{done}; waiting: {waiting}, parked in all: {parked}", waiting=waiting, parked=parked
        )
        if done.error is not None:
            raise done.error
