"""``manage.py notices``: what is wrong with the installation, as the console's overview says it."""

import json
from typing import Any

from django.core.management.base import CommandParser

from pki.operators.command import OperatorCommand, command_actor, refuse
from pki.operators.effects import Effect


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "List the notices of the console's overview: what is wrong, and what to do. With "
        "--acknowledge KEY and --reason, record that somebody works on it."
    )
    effect = Effect.DATABASE

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the format, and which notice is acknowledged."""
        parser.add_argument("--json", action="store_true", help="one JSON object a line")
        parser.add_argument("--acknowledge", metavar="KEY", help="the key that the list shows")
        parser.add_argument("--reason", default="", help="why, or who works on it")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print a line for each notice, or acknowledge one. The exit code is 1 if it is refused."""
        from estserver.console.overview.notices import acknowledge, sort_notices
        from estserver.console.overview.report import notice, present_notices

        if options["acknowledge"]:
            found = notice(options["acknowledge"])
            if found is None:
                refuse(
                    f"There is no notice {options['acknowledge']!r}. Take a key that "
                    "manage.py notices prints."
                )
            acknowledge(found, actor=command_actor(), reason=options["reason"])
            self.say(f"Acknowledged: {found.what}")
            return
        sorted_notices = sort_notices(present_notices())
        states = (("open", sorted_notices.open), ("acknowledged", sorted_notices.acknowledged))
        for state, notices in states:
            for one in notices:
                if options["json"]:
                    said = {
                        "key": one.key,
                        "state": state,
                        "urgent": one.is_urgent,
                        "severity": one.severity,
                        "what": one.what,
                        "todo": one.todo,
                    }
                    self.stdout.write(json.dumps(said, ensure_ascii=True))
                else:
                    self.stdout.write(f"{state} {one.key}: {one.what} {one.todo}")
        if not sorted_notices.open and not sorted_notices.acknowledged and not options["json"]:
            self.stdout.write("There is no notice: nothing is wrong that the record can show.")
