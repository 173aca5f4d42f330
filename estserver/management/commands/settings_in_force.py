"""``manage.py settings_in_force``: the configuration in force, with the source of each value."""

import json
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from estserver.config.effective import database_parts, effective_values
from pki.operators.command import OperatorCommand


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Print every setting in force with where it comes from: a line of the configuration file, "
        "the environment, or the default. Secrets are printed as set or not set."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the format."""
        parser.add_argument("--json", action="store_true", help="one JSON object a line")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print a line for each value."""
        values = [
            *effective_values(settings.CONFIG),
            *database_parts(settings.DATABASES["default"]),
        ]
        for one in values:
            if options["json"]:
                self.stdout.write(json.dumps(asdict(one), ensure_ascii=True))
            else:
                self.stdout.write(f"{one.section}.{one.key}: {one.value} ({one.source})")
