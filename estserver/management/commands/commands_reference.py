"""``manage.py commands_reference``: print or write the reference of all commands."""

from estserver.operations.command_reference import REFERENCE_FILE, command_reference
from estserver.operations.reference_command import ReferenceCommand


class Command(ReferenceCommand):
    """See ``help``."""

    help = "Print the reference of all commands, or write it to docs/commands.md."
    page = REFERENCE_FILE

    def text(self) -> str:
        """Return the page."""
        return command_reference()
