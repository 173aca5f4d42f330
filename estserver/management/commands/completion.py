"""``manage.py completion``: print a script that completes commands in a shell."""

from typing import Any

from django.core.management.base import CommandParser

from estserver.operations.shell_completion import SHELLS, completion_script
from pki.operators.command import OperatorCommand


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Print a script that completes commands, subcommands, options and choices in bash or zsh: "
        "manage.py completion bash > FILE, and source FILE in ~/.bashrc."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the shell."""
        parser.add_argument("shell", choices=SHELLS)

    def handle(self, *args: Any, shell: str, **options: Any) -> None:
        """Print the script."""
        self.print_text(completion_script(shell), shell=shell)
