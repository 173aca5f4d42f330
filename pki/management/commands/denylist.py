"""List, export, test and change the denylist."""

import csv
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from pki.management.certificate_facts import moment
from pki.management.commands.certificates import write_file
from pki.management.listing import ListCommand
from pki.models import DenylistEntry
from pki.models.denylist import is_in_force
from pki.operators.command import OperatorCommand
from pki.operators.csv_text import Lines, csv_cell
from pki.operators.subcommands import CommandGroup

COLUMNS = ("kind", "value", "reason", "expires")
"""The columns of a file that `deny_import` takes."""


class ListEntries(ListCommand):
    """See ``help``."""

    help = "List the entries of the denylist, expired ones too."
    model = DenylistEntry
    columns = ("status", "kind", "value", "reason", "by", "until")
    filters = {
        "in-force": ("in_force", "yes or no"),
        "kind": ("kind__exact", "one kind of entry"),
    }
    empty = "No entry of the denylist fits."

    def facts(self, row: DenylistEntry) -> dict[str, Any]:
        """Return an entry as JSON values."""
        return {
            "id": str(row.pk),
            "status": "denied" if row.is_in_force else "expired",
            "kind": row.kind,
            "value": row.value,
            "reason": row.reason,
            "by": row.created_by,
            "since": moment(row.created_at),
            "until": moment(row.ends_at),
        }


class ExportEntries(OperatorCommand):
    """See ``help``."""

    help = "Print the entries in force as CSV, in the form that `denylist import` takes."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the file."""
        parser.add_argument("--out", type=Path, metavar="FILE", help="a file that does not exist")

    def handle(self, *args: Any, out: Path | None, **options: Any) -> None:
        """Print the lines, or write them."""
        writer: Any = csv.writer(Lines())
        entries = DenylistEntry.objects.filter(is_in_force(timezone.now())).select_related("batch")
        lines = [writer.writerow(COLUMNS)]
        for row in entries.order_by("kind", "value").iterator():
            reason, ends_at = row.terms
            expires = ends_at.date().isoformat() if ends_at else ""
            lines.append(writer.writerow([row.kind, row.value, csv_cell(reason), expires]))
        text = "".join(lines)
        if out is None:
            self.print_text(text, entries=len(lines) - 1)
        else:
            write_file(out, text.encode())
            self.say(
                f"{out} is written, entries: {len(lines) - 1}",
                file=str(out),
                entries=len(lines) - 1,
            )


class Command(CommandGroup):
    """See ``help``."""

    help = "List, export and test the denylist, and add, end and import entries."
    subcommands = {
        "list": ListEntries,
        "export": ExportEntries,
        "test": "pki.management.commands.deny_check.Command",
        "add": "pki.management.commands.deny.Command",
        "end": "pki.management.commands.allow.Command",
        "import": "pki.management.commands.deny_import.Command",
    }
