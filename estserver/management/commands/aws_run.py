"""Run a management command inside the admin's function, where the database is."""

import argparse
from typing import Any

from django.core.management.base import CommandParser

from estserver.deploy.command import DeployCommand
from estserver.deploy.deployment import current_deployment
from estserver.deploy.zappa.admin_function import run_in_function


class Command(DeployCommand):
    """See ``help``."""

    help = (
        "Run a management command inside the admin's function, where the database can be reached: "
        "aws_run deny name sensor-1 --reason stolen. Prints what the command printed. The function "
        "takes the commands of a fixed list only."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the command, with everything that follows it."""
        parser.add_argument("name", metavar="COMMAND")
        parser.add_argument("arguments", nargs=argparse.REMAINDER, help="its own arguments")

    def handle(self, *args: Any, name: str, arguments: list[str], **options: Any) -> None:
        """Print the command's output."""
        deployment = current_deployment()
        self.stdout.write(
            run_in_function(deployment.live_function("admin"), name, *arguments), ending=""
        )
