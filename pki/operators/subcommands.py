"""Commands that have subcommands, as git and kubectl do: ``manage.py denylist test NAME``.

Each subcommand is an `OperatorCommand` of its own, and may be one that also has a name of its own:
``denylist add`` is ``deny``.
"""

import argparse
from collections.abc import Mapping
from typing import Any, ClassVar

from django.core.management.base import CommandParser
from django.utils.module_loading import import_string

from pki.operators.command import OperatorCommand
from pki.operators.options import add_common_options, refuse_usage_with_our_code

SUBCOMMAND = "subcommand"


class CommandGroup(OperatorCommand):
    """A command whose first argument names what is done."""

    subcommands: ClassVar[Mapping[str, type[OperatorCommand] | str]]
    """The subcommands by name: a class, or the dotted path of one in another module."""

    def add_arguments(self, parser: CommandParser) -> None:
        """Add a parser for each subcommand."""
        self._found: dict[str, OperatorCommand] = {}
        parsers = parser.add_subparsers(
            dest=SUBCOMMAND, required=True, metavar="SUBCOMMAND", title="subcommands"
        )
        for name in self.subcommands:
            command = self._found[name] = self.subcommand(name)
            words = " ".join(str(command.help).split())
            added = parsers.add_parser(name, help=first_sentence(words), description=words)
            command.add_arguments(added)
            refuse_usage_with_our_code(added)
            command._own_json = add_common_options(
                added, effect=command.effect, is_dangerous=command.is_dangerous
            )
            # People write options at the end of the line. Without it, Django's own one counts.
            added.add_argument(
                "--traceback", action="store_true", default=_NOT_GIVEN, help=_TRACEBACK
            )

    def subcommand(self, name: str) -> OperatorCommand:
        """Return the command behind a subcommand."""
        found = self.subcommands[name]
        kind = import_string(found) if isinstance(found, str) else found
        command: OperatorCommand = kind(stdout=None, stderr=None)
        return command

    def found(self, name: str) -> OperatorCommand:
        """Return the command behind a subcommand, once the parser was made."""
        return self._found[name]

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the subcommand, with the streams of this command."""
        command = self._found[options.pop(SUBCOMMAND)]
        command._called_from_command_line = self._called_from_command_line
        command.stdout, command.stderr = self.stdout, self.stderr
        return command.execute(*args, **options)


_NOT_GIVEN = argparse.SUPPRESS
_TRACEBACK = "show where an error came from"


def first_sentence(text: str) -> str:
    """Return the first sentence of a help text."""
    return f"{text.partition('. ')[0].rstrip('.')}."
