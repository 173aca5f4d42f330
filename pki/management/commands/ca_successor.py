"""Let a new CA issue in place of an old one."""

from typing import Any

from django.core.management.base import CommandParser

from pki.authorities.succeed import make_successor
from pki.operators.command import OperatorCommand, command_actor
from pki.record.find import find_authority


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Make a CA of the same subject with a new key, which issues from now on. The old one "
        "stays trusted and published until it expires."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the CA to be succeeded, and the reason."""
        parser.add_argument("ca", metavar="CA", help="the CA's name")
        parser.add_argument("--reason", required=True, help="kept on the audit trail")

    def handle(self, *args: Any, ca: str, reason: str, **options: Any) -> None:
        """Print which CA issues now."""
        successor = make_successor(find_authority(ca), actor=command_actor(), reason=reason)
        self.stdout.write(
            f"{successor} issues from now on, until {successor.not_after:%Y-%m-%d}; "
            f"{ca} stays trusted and published"
        )
