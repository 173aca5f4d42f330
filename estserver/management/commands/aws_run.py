"""Run a management command inside the admin's function, where the database is."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from estserver.deploy.command import DeployCommand
from estserver.deploy.deployment import current_deployment
from estserver.deploy.zappa.admin_function import run_in_function
from pki.operators.effects import Effect
from pki.operators.errors import OperatorError

EVENT_LIMIT = 6_000_000
"""Bytes of an event, less than Lambda's 6 MB, as JSON.
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""


class Command(DeployCommand):
    """See ``help``."""

    help = (
        "Run a management command inside the admin's function, where the database can be reached: "
        "aws_run deny name sensor-1 --reason stolen. Prints what the command printed. The function "
        "takes the commands of a fixed list only. An argument @FILE stands for the text of a file "
        "here, which the function cannot read; @@ is an @."
    )
    effect = Effect.MORE

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the command, with everything that follows it."""
        parser.add_argument("name", metavar="COMMAND")
        parser.add_argument("arguments", nargs=argparse.REMAINDER, help="its own arguments")

    def handle(
        self, *args: Any, name: str, arguments: list[str], dry_run: bool, **options: Any
    ) -> None:
        """Print the command's output."""
        deployment = current_deployment()
        if dry_run:
            texts = sent(arguments)
            size = sum(len(text.encode()) for text in texts)
            self.say(
                f"{name} would run in {deployment.live_function('admin')} with {len(texts)} "
                f"arguments, {size} bytes. The command's own --dry-run comes after its name."
            )
            return
        self.stdout.write(
            run_in_function(deployment.live_function("admin"), name, *sent(arguments)), ending=""
        )


def sent(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with the text of each file that one names with ``@``.

    Raises ``OperatorError`` for a file that cannot be read, and for more than an event may hold.
    """
    texts = [_text_of(argument) for argument in arguments]
    size = sum(len(json.dumps(text)) for text in texts)
    if size > EVENT_LIMIT:
        raise OperatorError(
            f"The arguments have {size / 1e6:.1f} MB, and Lambda takes {EVENT_LIMIT / 1e6:.0f}. "
            "Split the file, and run the command for each part."
        )
    return texts


def _text_of(argument: str) -> str:
    if argument.startswith("@@"):
        return argument[1:]
    if not argument.startswith("@"):
        return argument
    path = Path(argument[1:])
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise OperatorError(f"{path} cannot be read: {why}. Name a text file after @.") from error
