"""Make the packages of both stages as Zappa uploads them, check them, and list their parts."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from estserver.config import PROJECT_ROOT, Config
from estserver.config.keys import Properties
from estserver.deploy.package.tree import lay_out
from estserver.deploy.package.zip import Part, add_tree, begin_anew, check_package, parts
from pki.operators.errors import OperatorError

MINUTES = 60  # seconds


@dataclass(frozen=True)
class Package:
    """A zip that Lambda can take."""

    path: Path
    parts: Sequence[Part]
    """Its top-level directories and files, the largest first."""

    @property
    def zipped(self) -> int:
        """Bytes to upload."""
        return self.path.stat().st_size

    @property
    def unzipped(self) -> int:
        """Bytes that Lambda unpacks; it takes 250 MB."""
        return sum(part.size for part in self.parts)


def make_package(
    stage: str,
    path: Path,
    *,
    settings: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Package:
    """Have Zappa make the package of ``stage`` at ``path``, as ``zappa deploy`` would.

    ``settings`` is a file in place of ``zappa_settings.json``. Raises OperatorError with Zappa's
    output.
    """
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    own_settings = ["-s", str(settings)] if settings else []
    zappa = "import sys; from zappa.cli import handle; sys.argv[0] = 'zappa'; handle()"
    done = subprocess.run(  # noqa: S603 - Zappa, with fixed arguments
        [sys.executable, "-P", "-c", zappa, "package", stage, "-o", str(path), *own_settings],
        cwd=PROJECT_ROOT,
        env={**environ, "VIRTUAL_ENV": sys.prefix},
        capture_output=True,
        text=True,
        timeout=10 * MINUTES,
    )
    if done.returncode != 0 or not path.exists():
        raise OperatorError((done.stdout + done.stderr).strip()[-3000:])
    return Package(path, parts(path))


def check_zappas_settings(runtime: str, architecture: str, properties: Properties) -> None:
    """Check that Zappa makes the function for which the package is made.

    Raises OperatorError when ``zappa_settings.json`` and the configuration differ.
    """
    for key, name, found, wanted in (
        ("lambdaRuntime", "runtime", runtime, properties.lambda_runtime),
        ("lambdaArchitecture", "architecture", architecture, properties.lambda_architecture),
    ):
        if found != wanted:
            raise OperatorError(
                f"zappa_settings.json has the {name} {found}, and Properties.{key} is {wanted}. "
                "Set both to the same value."
            )


def fill(zip_path: Path, stage: str, config: Config) -> None:
    """Put everything that ``stage`` runs into a zip that Zappa has begun.

    Prints notes for the operator on standard output. Raises OperatorError or ConfigError.
    """
    with tempfile.TemporaryDirectory(prefix="est-package-") as name:
        packaged = lay_out(stage, config, Path(name))
        begin_anew(zip_path)
        add_tree(zip_path, Path(name))
    check_package(zip_path, config)
    for note in packaged.notes:
        print(note)  # noqa: T201 - among the lines that Zappa prints
