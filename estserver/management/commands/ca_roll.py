"""``manage.py ca_roll``: where the roll of a CA is, and which step is next."""

from typing import Any

from django.core.management.base import CommandParser

from pki.operators.command import OperatorCommand
from pki.record.find import find_authority


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Show the steps of a CA's roll, from its successor's key to its retirement, and the "
        "command of the next one. Changes nothing. The console's page of the CA shows the same."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the CA."""
        parser.add_argument("name", help="the CA, or its successor")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        """Print a line for each step, and where the roll is."""
        # Imported here, because it reads the deployment and the fleet.
        from estserver.console.authorities.ca_roll import roll_of

        roll = roll_of(find_authority(name))
        steps = [
            {
                "step": number,
                "title": step.title,
                "state": step.state.name.lower(),
                "said": step.said,
                "command": step.command_now,
            }
            for number, step in enumerate(roll.steps, start=1)
        ]
        if self.is_json:
            self.print_rows((), steps)
            return
        for facts, step in zip(steps, roll.steps, strict=True):
            said = f"{facts['step']}. {step.title}: {step.state.lower()}. {step.said}"
            self.say(said.rstrip())
            if facts["command"]:
                self.say(f"   {facts['command']}")
        self.say(roll.place)
