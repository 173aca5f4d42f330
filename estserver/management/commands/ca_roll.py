"""``manage.py ca_roll``: where the roll of a CA is, and which step is next."""

import json
from typing import Any

from django.core.management.base import CommandParser

from pki.models import CertificateAuthority
from pki.operators.command import OperatorCommand, refuse


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Show the steps of a CA's roll, from its successor's key to its retirement, and the "
        "command of the next one. Changes nothing. The console's page of the CA shows the same."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the CA and the format."""
        parser.add_argument("name", help="the CA, or its successor")
        parser.add_argument("--json", action="store_true", help="one JSON object a step")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        """Print a line for each step."""
        from estserver.console.ca_roll import StepState, roll_of

        ca = CertificateAuthority.objects.filter(name=name).first()
        if ca is None:
            names = CertificateAuthority.objects.order_by("name").values_list("name", flat=True)
            refuse(f"There is no CA {name!r}. Choose one of: {', '.join(names) or 'none yet'}.")
        roll = roll_of(ca)
        for number, step in enumerate(roll.steps, start=1):
            command = step.command if step.state is StepState.NEXT else ""
            if options["json"]:
                said = {
                    "step": number,
                    "title": step.title,
                    "state": step.state.name.lower(),
                    "said": step.said,
                    "command": command,
                }
                self.stdout.write(json.dumps(said, ensure_ascii=True))
                continue
            self.stdout.write(f"{number}. {step.title}: {step.state.lower()}. {step.said}".rstrip())
            if command:
                self.stdout.write(f"   {command}")
        if not options["json"]:
            self.stdout.write(roll.place)
