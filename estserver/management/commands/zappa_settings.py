"""Compare ``zappa_settings.json`` with the configuration, or write it."""

from typing import Any

from django.core.management.base import CommandParser

from estserver.deploy.command import DeployCommand
from estserver.deploy.deployment import current_deployment
from estserver.deploy.zappa import settings as zappa_settings
from pki.operators.command import refuse
from pki.operators.effects import Effect


class Command(DeployCommand):
    """See ``help``."""

    help = (
        "Compare zappa_settings.json with the configuration (--check), or write the "
        "configuration's values into it (--write). zappa deploy needs neither, because it is "
        "handed these values each time. They are for people to read, or for another tool."
    )
    effect = Effect.MORE

    def add_arguments(self, parser: CommandParser) -> None:
        """Take whether to compare or to write."""
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument(
            "--check", "--dry-run", action="store_true", help="exit code 1 when they differ"
        )
        what.add_argument("--write", action="store_true")

    def handle(self, *args: Any, write: bool, **options: Any) -> None:
        """Print one line; with --check, refuse a file that differs and name the keys."""
        settings = zappa_settings.read_settings()
        wanted = zappa_settings.rendered(settings, current_deployment())
        different = zappa_settings.differences(settings, wanted)
        name = zappa_settings.SETTINGS_FILE.name
        if not different:
            self.say(f"{name} is as the configuration says")
            return
        if not write:
            keys = ", ".join(different)
            refuse(f"{name} differs in {keys}. manage.py zappa_settings --write sets them.")
        zappa_settings.SETTINGS_FILE.write_text(zappa_settings.as_text(wanted), encoding="utf-8")
        self.say(f"{name}: wrote {', '.join(different)}")
