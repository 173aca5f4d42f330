"""Make the packages that Zappa deploys, and list their largest parts."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from estserver.deploy.deployment import STAGES
from estserver.deploy.package.build import Package, make_package
from estserver.deploy.package.config import package_config
from pki.operators.command import OperatorCommand
from pki.operators.effects import Effect

LARGEST = 10


class Command(OperatorCommand):
    """See ``help``."""

    help = "Make the Lambda packages of both stages, as zappa deploy would, and list their parts."
    effect = Effect.MORE

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the stages to package and the directory for the packages."""
        parser.add_argument("stages", nargs="*", metavar="STAGE", help="est, admin; else both")
        parser.add_argument("--out", type=Path, default=Path("var", "package"), metavar="DIRECTORY")

    def handle(
        self, *args: Any, stages: list[str], out: Path, dry_run: bool, **options: Any
    ) -> None:
        """Print notes for the operator, then the largest parts of each stage's package."""
        for note in package_config(settings.CONFIG).notes:
            self.say(note)
        for stage in stages or STAGES:
            if dry_run:
                self.say(f"{out / f'est-server-{stage}.zip'} would be made (--dry-run)")
                continue
            self._list(make_package(stage, out / f"est-server-{stage}.zip"))

    def _list(self, package: Package) -> None:
        self.say(
            f"{package.path}: {_megabytes(package.zipped)} zipped, "
            f"{_megabytes(package.unzipped)} unzipped",
            file=str(package.path),
            zipped=package.zipped,
            unzipped=package.unzipped,
        )
        for part in package.parts[:LARGEST]:
            self.say(f"  {_megabytes(part.size):>9}  {part.name}", part=part.name, size=part.size)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
