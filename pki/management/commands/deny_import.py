"""Deny everything in a CSV file."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from pki.denylist.csv_import import Outcome, compare, import_lines, read_lines
from pki.operators.command import OperatorCommand, command_actor, refuse


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Deny everything in a CSV file (kind,value,reason,expires). Nothing is written if a line "
        "is wrong."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the file, and a reason for lines without one."""
        parser.add_argument("file", type=Path, metavar="FILE.csv")
        parser.add_argument("--dry-run", action="store_true", help="print what each line would do")
        parser.add_argument("--reason", default="", help="for the lines without a reason")

    def handle(self, *args: Any, file: Path, dry_run: bool, reason: str, **options: Any) -> None:
        """Print what each line would do in a dry run, else the counts."""
        try:
            content = file.read_bytes()
        except OSError as error:
            refuse(f"{file} cannot be read: {error.strerror}.", error)
        lines = read_lines(content, default_reason=reason)
        if dry_run:
            for line, outcome in zip(lines, compare(lines), strict=True):
                self.stdout.write(f"line {line.number}: {outcome}: {line.kind} {line.value}")
            self.stdout.write("nothing was written (--dry-run)")
            return
        counts = import_lines(lines, actor=command_actor())
        said = ", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome)
        self.stdout.write(f"denylist entries: {said}")
