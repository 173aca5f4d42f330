"""Put the version before of the functions in service again."""

from typing import Any

from django.core.management.base import CommandParser

from estserver.deploy.command import DeployCommand
from estserver.deploy.deployment import STAGES, current_deployment
from estserver.deploy.lifecycle.deploy import stage_named
from estserver.deploy.lifecycle.rollback import roll_back
from pki.operators.effects import Effect
from pki.operators.errors import OperatorError


class Command(DeployCommand):
    """See ``help``."""

    help = (
        "Put the version before of both functions, or of one, in service again; with a canary, end "
        "it. It takes effect with the next request. A version that lacks migrations of the "
        "database is refused. manage.py aws_deploy leaves it so until there is other code; "
        "aws_deploy --promote takes it back."
    )
    effect = Effect.MORE

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the stage, the version, and whether the schema is looked at."""
        parser.add_argument("stage", nargs="?", metavar="STAGE", help="est or admin; else both")
        parser.add_argument("--to", type=int, default=0, metavar="VERSION", help="with a stage")
        parser.add_argument(
            "--ignore-schema",
            action="store_true",
            help="also a version that does not know every migration of the database",
        )
        parser.add_argument("--dry-run", action="store_true", help="print the calls, make none")

    def handle(
        self,
        *args: Any,
        stage: str | None,
        to: int,
        ignore_schema: bool,
        dry_run: bool,
        **options: Any,
    ) -> None:
        """Print a line for each stage, and one at the end."""
        if to and not stage:
            raise OperatorError(
                f"--to {to} needs a stage, because versions are counted for each. Name est or "
                "admin."
            )
        stages = [stage_named(stage)] if stage else STAGES
        changed = roll_back(
            current_deployment(),
            stages,
            say=self.say,
            to=to,
            ignores_schema=ignore_schema,
            is_dry_run=dry_run,
        )
        if not dry_run:
            self.say(f"changed: {', '.join(changed)}" if changed else "nothing had to be changed")
