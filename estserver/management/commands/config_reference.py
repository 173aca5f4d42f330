from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from estserver.config.reference import REFERENCE_FILE, configuration_reference
from pki.operators.effects import Effect


class Command(BaseCommand):
    help = "Print the settings reference, or write it to docs/configuration.md."
    requires_system_checks = []
    effect = Effect.MORE

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--write", action="store_true", help="write docs/configuration.md")

    def handle(self, *args: Any, write: bool = False, **options: Any) -> None:
        reference = configuration_reference()
        if not write:
            self.stdout.write(reference, ending="")
            return
        REFERENCE_FILE.write_text(reference, encoding="utf-8")
        self.stdout.write(f"wrote {REFERENCE_FILE}")
