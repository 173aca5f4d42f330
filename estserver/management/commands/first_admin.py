"""Make the web admin's first account."""

from typing import Any

from django.core.management.base import CommandParser

from estserver.people.accounts.first_account import make_first_admin
from pki.operators.command import OperatorCommand, command_actor
from pki.operators.effects import Effect


class Command(OperatorCommand):
    """See ``help``."""

    help = "Make the web admin's first account, and show its password once."
    effect = Effect.DATABASE

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the account's name."""
        parser.add_argument("username", nargs="?", default="admin")

    def handle(self, *args: Any, username: str, dry_run: bool, **options: Any) -> None:
        """Print one line: name and password."""
        password = make_first_admin(username, actor=command_actor())
        if dry_run:  # this password is taken back too
            self.say(f"account {username!r}, with a password that is shown once", account=username)
            return
        self.say(
            f"account {username!r}, password {password} "
            "(shown once; you choose another at your first sign-in)",
            account=username,
            password=password,
        )
