"""The options that all commands have, and the exit code of wrong usage."""

import argparse
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NoReturn

from django.core.management.base import CommandError, CommandParser

from pki.operators.effects import Effect
from pki.operators.exit_codes import USAGE

_JSON = "print JSON lines: an object for each row, or with what was said"
_DRY_RUN = "do everything but keep it, and say what would happen"
_YES = "do not ask; needed where there is no terminal"


def add_common_options(
    parser: argparse.ArgumentParser,
    *,
    effect: Effect,
    is_dangerous: bool,
    effects: Mapping[str, Effect] = MappingProxyType({}),
) -> frozenset[str]:
    """Add what the command's own options lack. Return where it has a ``--json`` of its own.

    That is "" for a command without subcommands, and the names of the subcommands otherwise, each
    of which gets the options. ``effects`` has those of subcommands with another effect.
    """
    parsers = subparsers_of(parser)
    own = {
        name: _has_own_json(
            each,
            effect=effects.get(name, effect),
            is_dangerous=is_dangerous and effects.get(name) is not Effect.READS,
        )
        for name, each in ({"": parser} if parsers is None else parsers).items()
    }
    return frozenset(name for name, has_own in own.items() if has_own)


def _has_own_json(parser: argparse.ArgumentParser, *, effect: Effect, is_dangerous: bool) -> bool:
    known = {text for action in parser._actions for text in action.option_strings}
    if effect in (Effect.DATABASE, Effect.MORE) and "--dry-run" not in known:
        parser.add_argument("--dry-run", action="store_true", help=_DRY_RUN)
    if is_dangerous and "--yes" not in known:
        parser.add_argument("--yes", action="store_true", help=_YES)
    if "--json" in known:
        return True
    parser.add_argument("--json", action="store_true", help=_JSON)
    return False


def subparsers_of(parser: argparse.ArgumentParser) -> dict[str, Any] | None:
    """Return the parsers of the subcommands by name; ``None`` for a command without."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return None


def destination_of_subcommand(parser: argparse.ArgumentParser) -> str:
    """Return under which name the options have the subcommand; "" for a command without."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return action.dest
    return ""


def refuse_usage_with_our_code(parser: CommandParser) -> None:
    """Let wrong usage end with exit code 2 also where the command was called by a program.

    On the command line argparse ends the process with 2 itself. Django's parser raises a
    ``CommandError`` otherwise, with 1.
    """
    if parser.called_from_command_line:
        return
    for each in (parser, *(subparsers_of(parser) or {}).values()):
        each.error = _raise_misuse(each)


def _raise_misuse(parser: argparse.ArgumentParser) -> Callable[[str], NoReturn]:
    def error(message: str) -> NoReturn:
        raise CommandError(f"Error: {message}", returncode=USAGE)

    return error
