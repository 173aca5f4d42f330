"""Deny a whole list."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from pki.denylist.csv_import import Outcome, compare, import_lines, read_lines
from pki.operators.command import OperatorCommand, command_actor, refuse


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Deny everything in a CSV file (kind,value,reason,expires): all of it, or nothing when a "
        "line is wrong."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The file, and a reason for lines without one."""
        parser.add_argument("file", type=Path, metavar="FILE.csv")
        parser.add_argument("--dry-run", action="store_true", help="say what each line would do")
        parser.add_argument("--reason", default="", help="for the lines that give none")

    def handle(self, *args: Any, file: Path, dry_run: bool, reason: str, **options: Any) -> None:
        """A line for each entry in a dry run; else one line with the counts."""
        try:
            content = file.read_bytes()
        except OSError as error:
            refuse(f"can't read {file}: {error.strerror}", error)
        lines = read_lines(content, default_reason=reason)
        if dry_run:
            for line, outcome in zip(lines, compare(lines), strict=True):
                self.stdout.write(f"line {line.number}: {outcome}: {line.kind} {line.value}")
            self.stdout.write("nothing was written (--dry-run)")
            return
        counts = import_lines(lines, actor=command_actor())
        said = ", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome)
        self.stdout.write(f"denylist entries: {said}")
