"""Print the state of everything that is deployed, in one table."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser

from estserver.deploy.command import DeployCommand
from estserver.deploy.deployment import current_deployment
from estserver.deploy.lifecycle.status import status
from estserver.deploy.recipe import everything
from estserver.operations.report_rows import exit_code


class Command(DeployCommand):
    """See ``help``."""

    help = (
        "Look at everything that is deployed: OK, WARN or FAIL, what was changed by other means, "
        "and what to do. Exit code 1 when something fails. Changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the output's form, and which database has the truststore's record."""
        parser.add_argument("--json", action="store_true", help="a list of objects")
        parser.add_argument(
            "--here",
            action="store_true",
            help="the truststore's record is in the database that this machine is configured for, "
            "not in that of the admin's function",
        )

    def handle(self, *args: Any, here: bool, **options: Any) -> None:
        """Print the table. Raises ``CommandError`` when a row fails."""
        deployment = current_deployment()
        rows = status(deployment, everything(deployment), is_here=here)
        if options["json"]:
            self.say(json.dumps([asdict(row) for row in rows], indent=2))
        else:
            width = max(len(row.name) for row in rows)
            for row in rows:
                finding = f"{row.finding.rstrip('.')}. {row.advice}" if row.advice else row.finding
                self.say(f"{row.level:<4}  {row.name:<{width}}  {finding}")
        failed = sum(row.level == "FAIL" for row in rows)
        if exit_code(rows):
            raise CommandError(f"{failed} of {len(rows)} are not as they should be.", returncode=1)
