"""Say whether the denylist would refuse something, and by which entry."""

import json
from typing import Any

from django.core.management.base import CommandParser

from pki.denylist.adding import terms_in_words
from pki.denylist.values import pem_in_file
from pki.denylist.verdict import Verdict, denylist_verdict
from pki.operators.command import OperatorCommand, refuse


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Say whether the denylist would refuse a thing name, a device's or certificate's serial "
        "number, a SHA-256, or the certificate in a PEM file, and by which entry. Nothing is "
        "changed. The exit code is 1 if it would be refused."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add what is asked about, and the form of the answer."""
        parser.add_argument("value", metavar="VALUE", help="the name or number, or a PEM file")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, value: str, json: bool, **options: Any) -> None:
        """Print the entries that refuse it."""
        found = denylist_verdict(pem_in_file(value))
        self.stdout.write(_as_json(found) if json else _as_text(found))
        if found.denials:
            refuse("It would be refused.")


def _as_json(found: Verdict) -> str:
    return json.dumps(found.as_json(), indent=2)


def _as_text(found: Verdict) -> str:
    asked = f"asked about: {'; '.join(found.asked)}"
    if not found.denials:
        return f"{asked}\nno entry in force names it"
    return "\n".join(
        [
            asked,
            *(
                f"{denial.entry.kind} {denial.entry.value}, {terms_in_words(denial.entry)}; live "
                f"certificates: {denial.live}; the device is told {denial.refused}"
                for denial in found.denials
            ),
        ]
    )
