"""Inspect a certificate, CSR, public key, PKCS #7 or a line of API Gateway's access log."""

import json
from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandError, CommandParser

from estserver.tools.given import read_given
from estserver.tools.inspected import Inspected
from estserver.tools.inspection import MOST_BYTES, inspect
from pki.admin.display import visible
from pki.operators.command import REFUSED, OperatorCommand


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Say what a certificate, CSR, public key, PKCS #7 (PEM, base64 or DER) or a line of API "
        "Gateway's access log is, what this server's rules and record say of it, and what to do. A "
        "private key is refused unread. The exit code is 1 if a rule refuses it. Changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add what is inspected."""
        parser.add_argument(
            "given", metavar="FILE", help="a file, - for standard input, or the PEM text itself"
        )
        parser.add_argument(
            "--label", default="", help="the label by whose profile a CSR is checked"
        )
        parser.add_argument("--json", action="store_true", help="one object")

    def handle(self, *args: Any, given: str, label: str, **options: Any) -> None:
        """Print facts and findings. Raises ``CommandError`` if a rule refuses it."""
        found = inspect(read_given(given, most=MOST_BYTES), label=label)
        if options["json"]:
            self.stdout.write(json.dumps(found.as_json(), indent=2))
        else:
            for line in _lines(found):
                self.stdout.write(visible(line))
        failed = sum(one.level == "FAIL" for one in found.all_findings())
        if failed:
            raise CommandError(f"{failed} findings are FAIL.", returncode=REFUSED)


def _lines(found: Inspected) -> Iterator[str]:
    yield f"{found.what[0].upper()}{found.what[1:]}."
    for group in found.groups:
        yield f"{group.title}:"
        width = max(len(name) for name, _ in group.facts)
        yield from (f"  {name:<{width}}  {value}" for name, value in group.facts)
    for one in found.findings:
        yield f"{one.level:<4}  {f'{one.finding} {one.advice}'.rstrip()}"
    for row in found.rows:
        yield f"on record: {row._meta.verbose_name} {row}"
    for part in found.parts:
        yield ""
        yield from _lines(part)
