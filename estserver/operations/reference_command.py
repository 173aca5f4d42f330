"""The base of the commands that write a page of docs/ from the code."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

from django.core.management.base import CommandParser

from pki.operators.command import OperatorCommand
from pki.operators.effects import Effect


class ReferenceCommand(OperatorCommand, ABC):
    """Prints a page, or writes it."""

    effect = Effect.MORE
    page: ClassVar[Path]
    """The file that ``--write`` writes."""

    @abstractmethod
    def text(self) -> str:
        """Return the page."""

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``--write``."""
        parser.add_argument("--write", action="store_true", help=f"write docs/{self.page.name}")

    def handle(self, *args: Any, write: bool, dry_run: bool, **options: Any) -> None:
        """Print the page, or write it and print its path."""
        text = self.text()
        if dry_run:
            is_same = self.page.is_file() and self.page.read_text(encoding="utf-8") == text
            self.say(f"{self.page} {'is as the code says' if is_same else 'would change'}.")
        elif write:
            self.page.write_text(text, encoding="utf-8")
            self.say(f"Wrote {self.page}.", file=str(self.page))
        else:
            self.print_text(text)
