"""The commands of this project and their parsers, for the reference and for shell completion."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.core.management import get_commands, load_command_class

from pki.operators.command import OperatorCommand
from pki.operators.effects import Effect
from pki.operators.options import subparsers_of
from pki.operators.subcommands import CommandGroup

APPS = ("pki", "iotprov", "estserver")

_OF_DJANGO = frozenset(
    {"version", "settings", "pythonpath", "traceback", "no_color", "force_color", "skip_checks"}
)
"""Options of every command of Django's, by destination."""


@dataclass(frozen=True, slots=True)
class CommandShape:
    """A command or subcommand with what its parser takes."""

    name: str
    """As it is typed, the subcommand included."""
    command: OperatorCommand
    parser: argparse.ArgumentParser
    subcommands: tuple[str, ...] = ()

    @property
    def help(self) -> str:
        """What it does, on one line."""
        return " ".join(str(self.command.help).split())

    @property
    def effect(self) -> Effect:
        """What it changes."""
        word = self.name.partition(" ")[2]
        return self.command.effects_of_subcommands.get(word, self.command.effect)

    @property
    def is_dangerous(self) -> bool:
        """Whether it asks before it goes on."""
        return self.command.is_dangerous and self.effect is not Effect.READS

    def positionals(self) -> list[argparse.Action]:
        """Return the arguments that are no options."""
        return [
            action
            for action in self.parser._actions
            if not action.option_strings and not isinstance(action, argparse._SubParsersAction)
        ]

    def options(self) -> list[argparse.Action]:
        """Return the options, without those that every command of Django's has."""
        return [
            action
            for action in self.parser._actions
            if action.option_strings
            and action.dest not in _OF_DJANGO
            and not isinstance(action, argparse._HelpAction)
            and "--verbosity" not in action.option_strings
        ]


def command_names() -> list[str]:
    """Return the names of this project's commands. Django's ``migrate`` is ours too."""
    return sorted(name for name, app in get_commands().items() if app in APPS)


@cache
def command_shapes() -> tuple[CommandShape, ...]:
    """Return every command, each followed by its subcommands. Loads all of them."""
    return tuple(shape for name in command_names() for shape in _shapes_of(name))


def _shapes_of(name: str) -> Iterator[CommandShape]:
    command: Any = load_command_class(get_commands()[name], name)
    parser = command.create_parser("manage.py", name)
    subparsers = subparsers_of(parser) or {}
    yield CommandShape(name, command, parser, tuple(subparsers))
    for word, subparser in subparsers.items():
        found = command.found(word) if isinstance(command, CommandGroup) else command
        yield CommandShape(f"{name} {word}", found, subparser)


def option_names(shape: CommandShape) -> list[str]:
    """Return the long names of the options."""
    return [
        text
        for action in shape.options()
        for text in action.option_strings
        if text.startswith("--")
    ]
