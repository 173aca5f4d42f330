"""``manage.py smoke``: prove a deployment from outside."""

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from estserver.operations.report_rows import Row, exit_code
from estserver.smoke.device import NewKey
from estserver.smoke.run import SmokeTest
from estserver.smoke.wire import Credentials, Server
from pki.operators.command import REFUSED, REMOTE_FAILURE, OperatorCommand
from pki.operators.effects import Effect
from pki.operators.errors import OperatorError

THING_NAME = re.compile(r"[A-Za-z0-9:_-]{1,64}")
"""The names that AWS IoT accepts for a thing, and X.509 as a common name."""


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Prove from outside that an EST server works and refuses what it must: TLS, health, CA "
        "certificates, refusals, an enrollment and its renewal. This needs neither AWS nor the "
        "database. The exit code is 0 if all checks pass, 1 if one fails, and 3 if the server "
        "cannot be reached. It enrolls a thing name, and prints the command that revokes it."
    )
    effect = Effect.RUNS

    def add_arguments(self, parser: CommandParser) -> None:
        """Define the options: the server, the client and the checks."""
        parser.add_argument("url", help="https://est.example.com, or https://localhost:8443")
        parser.add_argument("--cert", type=Path, required=True, help="client certificate (PEM)")
        parser.add_argument("--key", type=Path, required=True, help="its key (PEM, no password)")
        parser.add_argument("--ca", type=Path, help="the CA of the server's certificate (PEM)")
        parser.add_argument(
            "--name",
            help="thing name to enroll (default: smoke- and the time); with identityRule "
            "same-cn, the client's common name",
        )
        parser.add_argument(
            "--cn-only",
            action="store_true",
            help="ask for a subject with the common name only, as some profiles demand; the "
            "default has a serialNumber and a country too, for the CDK sample's template",
        )
        parser.add_argument("--admin", metavar="URL", help="check the admin too")
        parser.add_argument(
            "--execute-api",
            metavar="URL",
            help="the API's default endpoint with its stage, which must be closed",
        )
        parser.add_argument("--json", action="store_true", help="one object, at the end")

    def handle(
        self,
        *args: Any,
        url: str,
        cert: Path,
        key: Path,
        ca: Path | None,
        name: str | None,
        cn_only: bool,
        admin: str | None,
        execute_api: str | None,
        **options: Any,
    ) -> None:
        """Run the checks, with a line for each."""
        name = name or f"smoke-{timezone.now():%Y%m%d-%H%M%S}"
        if not THING_NAME.fullmatch(name):
            raise OperatorError(
                f"{name!r} cannot be a thing name. Give up to 64 letters, digits, colons, _ and - "
                "as --name."
            )
        test = SmokeTest(
            Server.at(url, ca),
            Credentials(cert, key),
            NewKey(name, is_cn_only=cn_only),
            execute_api=Server.at(execute_api) if execute_api else None,
            admin=Server.at(admin, ca) if admin else None,
        )
        rows = []
        for row in test.rows():
            rows.append(row)
            if not options["json"]:
                self._show(row)
        if options["json"]:
            printed = {
                "checks": [asdict(row) for row in rows],
                "thing": name if test.enrolled else None,
                "certificates": [one.fingerprint for one in test.enrolled],
            }
            self.stdout.write(json.dumps(printed, indent=2))
        elif test.enrolled:
            self._show_clean_up(name)
        _end(rows, is_unreachable=test.is_unreachable)

    def _show(self, row: Row) -> None:
        text = f"{row.finding} {row.advice}".rstrip()
        self.stdout.write(f"{row.level:<4}  {row.name:<21}  {text}")
        self.stdout.flush()

    def _show_clean_up(self, name: str) -> None:
        self.stdout.write(
            f"{name} is on record now. Revoke it in the admin, or with the database at hand:\n"
            f'  manage.py deny name {name} --reason "smoke test" --revoke'
        )


def _end(rows: list[Row], *, is_unreachable: bool) -> None:
    if exit_code(rows):
        failed = sum(row.level == "FAIL" for row in rows)
        raise CommandError(
            f"{failed} of {len(rows)} checks failed.",
            returncode=REMOTE_FAILURE if is_unreachable else REFUSED,
        )
