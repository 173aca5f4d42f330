"""``manage.py reason_codes``: print or write the reference of reason codes."""

from typing import Any

from django.core.management.base import CommandParser

from estserver.reason_codes import REFERENCE_FILE, reason_codes
from pki.operators.command import OperatorCommand
from pki.operators.effects import Effect


class Command(OperatorCommand):
    """See ``help``."""

    help = "Print the reference of reason codes, or write it to docs/reason-codes.md."
    effect = Effect.MORE

    def add_arguments(self, parser: CommandParser) -> None:
        """Define the option."""
        parser.add_argument("--write", action="store_true", help="write docs/reason-codes.md")

    def handle(self, *args: Any, write: bool, **options: Any) -> None:
        """Print the document, or write it and print its path."""
        if not write:
            self.stdout.write(reason_codes(), ending="")
            return
        REFERENCE_FILE.write_text(reason_codes(), encoding="utf-8")
        self.stdout.write(f"Wrote {REFERENCE_FILE}.")
