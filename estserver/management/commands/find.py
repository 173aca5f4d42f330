"""Find what an operator has in hand: a serial number, a name, an ARN, a certificate."""

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from estserver.operations.search import find
from pki.admin.display import visible
from pki.operators.command import OperatorCommand, refuse
from pki.operators.errors import OperatorError
from pki.search.findings import Findings
from pki.search.pasted import MOST_BYTES

_LONGEST_PATH = 255  # characters; a text that is longer is PEM


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Find a device, certificate, client, CA, denylist entry or request by whatever there is of "
        "it: a serial number (hex or decimal, whole or its beginning), a SHA-256 or SHA-1, an ARN, "
        "a name or its beginning, a device's serial number, a source IP, a request id, or a file "
        "with a certificate, CSR or public key. The exit code is 1 if nothing is found."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the term, and the form of the answer."""
        parser.add_argument(
            "term", metavar="TERM", help="what to look for; a PEM file; - for standard input"
        )
        parser.add_argument(
            "--all", action="store_true", help="look for a SHA-1 in the whole record"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, term: str, all: bool, json: bool, **options: Any) -> None:  # noqa: A002  # the options' names
        """Print what was found, and what to try if nothing was."""
        found = find(_typed(term), walks_everything=all)
        self.stdout.write(_as_json(found) if json else _as_text(found))
        if not found.hits:
            refuse("Nothing was found.")


def _typed(term: str) -> str:
    """Return the term, or what the file holds that it names. Raises ``OperatorError``."""
    if term == "-":
        return sys.stdin.read(MOST_BYTES + 1)
    if "\n" in term or len(term) > _LONGEST_PATH:
        return term
    path = Path(term)
    if path.suffix not in (".pem", ".crt", ".cer", ".csr", ".pub", ".b64") and not path.is_file():
        return term
    try:
        with path.open(encoding="ascii") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        raise OperatorError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise OperatorError(f"{path} is not PEM text. Convert it with openssl.") from error


def _as_json(found: Findings) -> str:
    return json.dumps(found.as_json(), indent=2)


def _as_text(found: Findings) -> str:
    lines = [f"understood as: {'; '.join(found.understood)}"] if found.understood else []
    for kind, hits in found.groups():
        more = ", the first of more" if kind in found.shortened else ""
        lines.append(f"{kind}{more}:")
        lines.extend(f"  {visible(hit.title)}  {visible(hit.detail)}".rstrip() for hit in hits)
    return "\n".join([*lines, *found.advice])
