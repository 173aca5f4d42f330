"""Make the web admin's first account."""

from typing import Any

from django.core.management.base import CommandParser

from estserver.people.first_account import make_first_admin
from pki.operators.command import OperatorCommand, command_actor


class Command(OperatorCommand):
    """See ``help``."""

    help = "Make the web admin's first account, and show its password once."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the account's name."""
        parser.add_argument("username", nargs="?", default="admin")

    def handle(self, *args: Any, username: str, **options: Any) -> None:
        """Print one line: name and password."""
        password = make_first_admin(username, actor=command_actor())
        self.stdout.write(
            f"account {username!r}, password {password} "
            "(shown once; you choose another at your first sign-in)"
        )
