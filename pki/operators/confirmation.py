"""What a person types before a dangerous command goes on."""

import sys
from typing import Any

from django.core.management.base import CommandError

from pki.operators.exit_codes import REFUSED


def typed_back(name: str, stdout: Any) -> None:
    """Ask on the terminal for ``name``, and return if it is typed.

    Raises ``CommandError`` for another text, and where nobody sits at a terminal: there, ``--yes``
    says the same.
    """
    if not sys.stdin.isatty():
        raise CommandError(
            "Nothing was changed, because there is no terminal to confirm this at. Add --yes.",
            returncode=REFUSED,
        )
    stdout.write(f"To go on, type {name}: ", ending="")
    stdout.flush()
    if sys.stdin.readline().strip() != name:
        raise CommandError(f"This is not {name}. Nothing was changed.", returncode=REFUSED)
