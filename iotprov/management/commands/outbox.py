"""List, retry and park the rows of the outbox."""

import uuid
from abc import ABC, abstractmethod
from typing import Any

from django.core.management.base import CommandParser
from django.db.models import Q

from iotprov.conf import targets_named
from iotprov.models import Provisioning
from iotprov.provisioning.outbox import park, retry
from pki.csr.thing_names import fold_name
from pki.management.listing import ListCommand
from pki.operators.command import OperatorCommand, command_actor, misuse, refuse
from pki.operators.effects import Effect
from pki.operators.subcommands import CommandGroup


class ListRows(ListCommand):
    """See ``help``."""

    help = "List what waits for AWS IoT, failed, or agrees."
    model = Provisioning
    columns = ("state", "thing", "serial_number", "target", "attempts", "next_attempt_at", "error")
    filters = {
        "state": ("state__exact", "pending, parked or settled"),
        "target": ("target", "the name of a target"),
        "waiting": ("waiting", "due or overdue"),
    }
    empty = "No row of the outbox fits."

    def facts(self, row: Provisioning) -> dict[str, Any]:
        """Return a row as JSON values."""
        return {
            "id": str(row.pk),
            "state": row.state,
            "thing": row.thing_name or row.certificate.common_name,
            "serial_number": row.certificate.serial_number,
            "target": row.target,
            "attempts": row.attempts,
            "next_attempt_at": row.next_attempt_at and row.next_attempt_at.isoformat(),
            "status_in_aws": row.aws_status,
            "error": row.error,
            "note": row.note,
        }


class _Decision(OperatorCommand, ABC):
    """A decision about rows that are named, or about all of one state."""

    effect = Effect.DATABASE
    state: Provisioning.State
    option: str

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the rows, and the reason."""
        parser.add_argument(
            "rows",
            nargs="*",
            metavar="ROW",
            help="a row's id, or the serial number or name of its certificate",
        )
        parser.add_argument(
            self.option, dest="every", action="store_true", help="all of them, in place of ROW"
        )
        parser.add_argument("--target", default="", metavar="NAME", help="at this target only")
        parser.add_argument("--reason", default="", help="kept on the audit trail")

    def chosen(self, rows: list[str], *, every: bool, target: str) -> list[Provisioning]:
        """Return the rows that the arguments mean. Raises ``CommandError`` for one that is none."""
        if bool(rows) == every:
            misuse(f"Name rows, or give {self.option}.")
        found = Provisioning.objects.select_related("certificate")
        if target:
            targets_named(target)  # refuses a name that no target has
            found = found.filter(target=target)
        if every:
            return list(found.filter(state=self.state))
        chosen: dict[uuid.UUID, Provisioning] = {}
        for text in rows:
            some = list(found.filter(_named(text)))
            if not some:
                refuse(f"The outbox has no row {text!a}. manage.py outbox list shows the rows.")
            chosen.update((row.pk, row) for row in some)
        return list(chosen.values())

    def handle(
        self,
        *args: Any,
        rows: list[str],
        every: bool,
        target: str,
        reason: str,
        **options: Any,
    ) -> None:
        """Decide about each row, and print a line for it."""
        for row in self.chosen(rows, every=every, target=target):
            self.decide(row, reason)
            self.say(f"{row}: {row.state}", id=str(row.pk), state=row.state, target=row.target)

    @abstractmethod
    def decide(self, row: Provisioning, reason: str) -> None:
        """Call the service."""


class Retry(_Decision):
    """See ``help``."""

    help = "Make rows due now, parked ones too. `outbox work` or the schedule then works on them."
    state = Provisioning.State.PARKED
    option = "--every-parked"

    def decide(self, row: Provisioning, reason: str) -> None:
        """Make the row due."""
        retry(row, actor=command_actor(), reason=reason)


class Park(_Decision):
    """See ``help``."""

    help = "Exclude pending rows from work until they are retried. AWS IoT keeps what it has."
    state = Provisioning.State.PENDING
    option = "--every-pending"

    def decide(self, row: Provisioning, reason: str) -> None:
        """Park the row. Only a pending one can be."""
        if row.state != Provisioning.State.PENDING:
            refuse(f"{row} is {row.state}. Only a pending row can be parked.")
        park(row, actor=command_actor(), reason=reason)


def _named(text: str) -> Q:
    try:
        return Q(pk=uuid.UUID(text))
    except ValueError:
        return Q(certificate__serial_number=text.replace(":", "").lower()) | Q(
            certificate__name_folded=fold_name(text)
        )


class Command(CommandGroup):
    """See ``help``."""

    help = "List, retry, park and work on what waits for AWS IoT."
    subcommands = {
        "list": ListRows,
        "retry": Retry,
        "park": Park,
        "work": "iotprov.management.commands.provision_pending.Command",
        "reprovision": "iotprov.management.commands.reprovision.Command",
        "drift": "iotprov.management.commands.drift.Command",
    }
