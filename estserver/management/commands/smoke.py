"""Prove a deployment from outside."""

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from estserver.deploy.status import Row, exit_code
from estserver.smoke.device import NewKey
from estserver.smoke.run import SmokeTest
from estserver.smoke.wire import Credentials, Server
from pki.operators.command import REFUSED, REMOTE_FAILURE, OperatorCommand
from pki.operators.errors import OperatorError

THING_NAME = re.compile(r"[A-Za-z0-9:_-]{1,64}")
"""What AWS IoT takes as a thing's name, and X.509 as a common name."""


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Prove from outside that an EST server works and refuses what it must: TLS, health, CA "
        "certificates, refusals, an enrollment and its renewal. Needs neither AWS nor the "
        "database. Exit code 0: all well, 1: a check failed, 3: the server can't be reached. "
        "It enrolls a thing name, and prints how to take it back."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Which server, as whom."""
        parser.add_argument("url", help="https://est.example.com, or https://localhost:8443")
        parser.add_argument("--cert", type=Path, required=True, help="client certificate (PEM)")
        parser.add_argument("--key", type=Path, required=True, help="its key (PEM, no password)")
        parser.add_argument("--ca", type=Path, help="who signs the server's certificate (PEM)")
        parser.add_argument(
            "--name",
            help="thing name to enroll (default: smoke- and the time); with identityRule "
            "same-cn, the client's common name",
        )
        parser.add_argument(
            "--cn-only",
            action="store_true",
            help="ask for nothing but the common name, as some profiles want it; otherwise with "
            "a serialNumber and a country, which the usual provisioning template takes",
        )
        parser.add_argument("--admin", metavar="URL", help="look at the admin's door, too")
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
        """A line for each check, as it ends."""
        name = name or f"smoke-{timezone.now():%Y%m%d-%H%M%S}"
        if not THING_NAME.fullmatch(name):
            raise OperatorError(
                f"found {name!r}, wanted up to 64 letters, digits, colons, _ and - as --name"
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
        finding = f"{row.finding}; {row.advice}" if row.advice else row.finding
        self.stdout.write(f"{row.level:<4}  {row.name:<21}  {finding}")
        self.stdout.flush()

    def _show_clean_up(self, name: str) -> None:
        self.stdout.write(
            f"{name} is on record now. Where the database is, or in the admin, take it back:\n"
            f'  manage.py deny name {name} --reason "smoke test" --revoke'
        )


def _end(rows: list[Row], *, is_unreachable: bool) -> None:
    if exit_code(rows):
        failed = sum(row.level == "FAIL" for row in rows)
        raise CommandError(
            f"{failed} of {len(rows)} checks failed",
            returncode=REMOTE_FAILURE if is_unreachable else REFUSED,
        )
