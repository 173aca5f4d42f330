"""Look at the whole installation: what is well, what is not, and what to do."""

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from estserver.tools.doctor.checks import Diagnosis
from estserver.tools.doctor.examination import examine
from estserver.tools.doctor.registry import CHECKS
from pki.admin.display import visible
from pki.operators.command import REFUSED, REMOTE_FAILURE, OperatorCommand, misuse


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Look at settings, database, CAs, keys, profiles, AWS IoT, what waits, and the deployment. "
        "One line a check: OK, WARN or FAIL, what to do, and where it is explained. The exit code "
        "is 0 if nothing fails, 1 if something does, and 3 if only a service could not be asked. "
        "Changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add which checks run."""
        parser.add_argument(
            "checks",
            nargs="*",
            metavar="CHECK",
            help=f"only these: {', '.join(check.name for check in CHECKS)}",
        )
        parser.add_argument(
            "--local", action="store_true", help="ask neither signers nor AWS, which takes seconds"
        )
        parser.add_argument("--json", action="store_true", help="a list of objects")

    def handle(self, *args: Any, checks: list[str], local: bool, **options: Any) -> None:
        """Print the lines as the checks end. Raises ``CommandError`` if one fails."""
        names = [check.name for check in CHECKS]
        if unknown := [name for name in checks if name not in names]:
            misuse(f"There is no check {unknown[0]!r}. Use one of {', '.join(names)}.")
        wanted = [check for check in CHECKS if not checks or check.name in checks]
        found = []
        for one in examine(wanted, with_others=not local):
            found.append(one)
            if not options["json"]:
                self._show(one)
        if options["json"]:
            self.stdout.write(json.dumps([one.as_json() for one in found], indent=2))
        failed = [one for one in found if one.level == "FAIL"]
        if failed:
            is_remote = all(one.is_remote for one in failed)
            raise CommandError(
                f"{len(failed)} of {len(found)} are not as they should be.",
                returncode=REMOTE_FAILURE if is_remote else REFUSED,
            )

    def _show(self, one: Diagnosis) -> None:
        text = f"{one.finding.rstrip('.')}. {one.advice}".rstrip()
        where = f" See {one.docs}." if one.level != "OK" else ""
        self.stdout.write(visible(f"{one.level:<4}  {one.name:<24}  {text}{where}"))
        self.stdout.flush()
