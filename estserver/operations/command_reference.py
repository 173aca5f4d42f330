"""The page docs/commands.md, written from the commands' own parsers and the registry of actions."""

import argparse
from collections.abc import Iterator
from typing import Final

from estserver.config.values import PROJECT_ROOT
from estserver.operations.actions import ACTIONS, Action
from estserver.operations.command_list import CommandShape, command_shapes
from pki.operators.effects import Effect
from pki.operators.exit_codes import MEANINGS

REFERENCE_FILE: Final = PROJECT_ROOT / "docs" / "commands.md"

_SHARED: Final = frozenset({"--json", "--dry-run", "--yes"})

_INTRODUCTION = """\
# Commands

<!-- Written by: manage.py commands_reference --write -->

Every job of the console is a command, `.venv/bin/python manage.py NAME`.
[operating.md](operating.md) says when each is used. `--help` prints what stands here.

- `--json` prints JSON lines: an object for each row. A command that says what it did prints an
  object for each sentence, `{"said": ...}` with the facts beside it. Later versions may add keys,
  and remove none. Commands with one answer print one object, over several lines.
- `--dry-run` says what would happen, and changes nothing. Every command that changes something has
  it.
- A dangerous command asks for a name on a terminal. Elsewhere it needs `--yes`.
- A table or sentence goes to standard output, a refusal as one sentence to standard error.
  `--traceback` adds where an error came from. A progress bar is on terminals only.
- No secret is an argument. Passwords are typed, or read from standard input.

| Exit code | Meaning |
|---|---|
"""

_COMPLETION = """
## Shell completion

    manage.py completion bash > ~/.est-completion && echo '. ~/.est-completion' >> ~/.bashrc
    manage.py completion zsh > ~/.est-completion && echo '. ~/.est-completion' >> ~/.zshrc

The script completes commands, subcommands, options and choices after `manage.py`. Write it again
after an update.
"""


def command_reference() -> str:
    """Return the page."""
    lines = [_INTRODUCTION.rstrip("\n")]
    lines += [f"| {code} | {meaning} |" for code, meaning in sorted(MEANINGS.items())]
    lines.append(_COMPLETION.rstrip("\n"))
    lines += ["", "## Actions", "", *_action_lines()]
    lines += ["", "## Every command"]
    for shape in command_shapes():
        lines += ["", *_shape_lines(shape)]
    return "\n".join(lines) + "\n"


def _action_lines() -> Iterator[str]:
    yield "Each row is one action. Its page, its command and its API call use the same function."
    yield ""
    yield "| Action | Command | API | Permission |"
    yield "|---|---|---|---|"
    for action in ACTIONS:
        commands = ", ".join(f"`{name}`" for name in action.commands)
        permission = f"`{action.permission}`" if action.permission else "-"
        yield f"| {action.name} | {commands} | {_api(action)} | {permission} |"


def _api(action: Action) -> str:
    if action.api:
        return ", ".join(f"`{call}`" for call in action.api)
    return f"none: {action.without_api[0].lower()}{action.without_api[1:].rstrip('.')}"


def _shape_lines(shape: CommandShape) -> Iterator[str]:
    level = "####" if " " in shape.name else "###"
    yield f"{level} {shape.name}"
    yield ""
    if other := _name_of_its_own(shape):
        yield f"Another name of [`{other}`](#{other}), with the same arguments."
        return
    yield shape.parser.description or shape.help
    if shape.subcommands:
        yield ""
        yield f"Subcommands: {', '.join(f'`{word}`' for word in shape.subcommands)}."
        return
    yield ""
    yield f"    {_usage(shape)}"
    rows = [*_argument_rows(shape)]
    if rows:
        yield ""
        yield "| Argument | Meaning |"
        yield "|---|---|"
        yield from rows
    yield ""
    yield f"{shape.effect.value}{' Dangerous.' if shape.is_dangerous else ''}"


def _name_of_its_own(shape: CommandShape) -> str:
    """Return the command that a subcommand is too; "" for one that is only a subcommand."""
    kind = type(shape.command)
    _, _, module = kind.__module__.rpartition(".")
    group, _, word = shape.name.partition(" ")
    return module if word and kind.__name__ == "Command" and module != group else ""


def _usage(shape: CommandShape) -> str:
    words = [shape.name]
    for action in shape.positionals():
        name = _shown(action)
        words.append(f"[{name}]" if action.nargs in ("?", "*", argparse.REMAINDER) else name)
    for action in shape.options():
        option = action.option_strings[0]
        value = "" if action.nargs == 0 else f" {_shown(action)}"
        words.append(f"{option}{value}" if action.required else f"[{option}{value}]")
    return " ".join(words)


def _argument_rows(shape: CommandShape) -> Iterator[str]:
    for action in [*shape.positionals(), *shape.options()]:
        if _SHARED & {*action.option_strings} and shape.effect is not Effect.RUNS:
            continue
        names = ", ".join(action.option_strings) or _shown(action)
        yield f"| `{names}` | {_meaning(action)} |"


def _shown(action: argparse.Action) -> str:
    if isinstance(action.metavar, str):
        return action.metavar
    if action.choices:
        return "{" + ",".join(map(str, action.choices)) + "}"
    return action.dest.upper().replace("_", "-")


def _meaning(action: argparse.Action) -> str:
    words = " ".join((action.help or "").split())
    choices = ", ".join(map(str, action.choices)) if action.choices else ""
    words = words.replace("%(choices)s", choices).replace("%%", "%")
    if choices and choices not in words and isinstance(action.metavar, str):
        words = f"{words}; one of {choices}" if words else f"one of {choices}"
    return words.replace("|", "\\|") or "-"
