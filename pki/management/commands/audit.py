"""Search, export and verify the audit trail."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from pki.management.listing import ListCommand
from pki.models import AuditEvent
from pki.operators.command import refuse
from pki.operators.subcommands import CommandGroup

_FILTERS = {
    "from": ("from", "the first day, YYYY-MM-DD (UTC)"),
    "to": ("to", "the last day, YYYY-MM-DD (UTC)"),
    "actor": ("actor", "its beginning, such as alice or command:root, among the newest"),
    "reason": ("reason", "a reason's code, or words of it, among the newest"),
    "address": ("address", "the source IP, among the newest"),
    "kind": ("kind", "refusals, issued, revoked, denylist, cas, profiles or operators"),
    "who": ("who", "client, admin, command or system"),
}


class ListEvents(ListCommand):
    """See ``help``."""

    help = (
        "List events of the audit trail, the newest first. The term is a request id, a thing name, "
        "a serial number, a SHA-256 or an actor."
    )
    model = AuditEvent
    columns = ("at", "action", "target", "actor", "reason", "request_id")
    filters = _FILTERS
    empty = "No event fits."

    def facts(self, row: AuditEvent) -> dict[str, Any]:
        """Return an event as JSON values, with all that its hash covers."""
        from pki.admin.audit import event_facts  # imported here, as `listing` does

        return event_facts(row)


class ExportEvents(ListEvents):
    """See ``help``."""

    help = (
        "Write events as JSON lines, the oldest first, with all that their hashes cover: what the "
        "console's download has."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the filters and the file."""
        super().add_arguments(parser)
        parser.add_argument("--out", type=Path, metavar="FILE", help="a file that does not exist")

    def handle(self, *args: Any, out: Path | None, **options: Any) -> None:  # type: ignore[override]
        """Print the lines, or write them."""
        from pki.admin.audit import json_lines

        lines = json_lines(self.rows(options))
        if out is None:
            for line in lines:
                self.stdout.write(line, ending="")
            return
        count = 0
        try:
            with out.open("x", encoding="utf-8") as file:
                for line in lines:
                    file.write(line)
                    count += 1
        except OSError as error:
            refuse(f"{out} cannot be written: {error.strerror}. Name a new file.", error)
        self.say(f"{out} is written, events: {count}", file=str(out), events=count)


class Command(CommandGroup):
    """See ``help``."""

    help = "Search, export and verify the audit trail."
    subcommands = {
        "list": ListEvents,
        "export": ExportEvents,
        "verify": "pki.management.commands.audit_verify.Command",
    }
