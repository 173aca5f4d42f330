"""Run Zappa in a process of its own, and show of its output what a person needs."""

import os
import re
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

from estserver.config import PROJECT_ROOT
from estserver.deploy.deployment import StageName
from pki.operators.errors import OperatorError

PART_OF_DEPLOY = "EST_ZAPPA_ALONE"
"""The variable by which `aws_deploy` tells Zappa's callbacks that it prepares and finishes."""
PACKAGE = "EST_PACKAGE"
"""The variable that names the package that Zappa is to upload, which was made before."""

_PROGRAM = "import sys; from zappa.cli import handle; sys.argv[0] = 'zappa'; handle()"
_LAST_LINES = 20
_COLORS = re.compile(r"\x1b\[[0-9;]*m")
_MEANINGLESS = tuple(
    re.compile(text)
    for text in (
        r"^\s*$",
        r"^Calling \w+ for stage ",
        r"^Downloading and installing dependencies\.\.",
        r"^Packaging project as zip\.",
        # A progress bar; 0 B to the size of the package.
        r"^\s*\d+%\|",
        # The API's own address, which is closed.
        r"^Deployment complete",
        r"^Your updated Zappa deployment is ",
        # Zappa asks for a Function URL in order to remove it; there is none.
        r"^(no )?function url",
    )
)


_IGNORED = "ignore:Setuptools is replacing distutils:UserWarning"
"""A matter between two libraries that Zappa's command line loads. Neither is in a package."""


def is_worth_showing(line: str) -> bool:
    """Whether a line of Zappa's output says something to the person who deploys."""
    return not any(pattern.search(line) for pattern in _MEANINGLESS)


def run_zappa(
    *arguments: str,
    say: Callable[[str], None],
    package: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> None:
    """Run a command of Zappa's as a part of `aws_deploy`; print its lines as they come.

    Raises ``OperatorError`` with the last lines when it fails.
    """
    environment = {
        **environ,
        "VIRTUAL_ENV": sys.prefix,
        PART_OF_DEPLOY: "1",
        "PYTHONWARNINGS": ",".join(filter(None, (environ.get("PYTHONWARNINGS"), _IGNORED))),
    }
    if package:
        environment[PACKAGE] = str(package)
    last: deque[str] = deque(maxlen=_LAST_LINES)
    with subprocess.Popen(  # noqa: S603 - Zappa, with fixed arguments
        [sys.executable, "-P", "-c", _PROGRAM, *arguments],
        cwd=PROJECT_ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        for each in process.stdout or ():
            # A progress bar writes over its line.
            line = _COLORS.sub("", each).rstrip().rpartition("\r")[2].removeprefix("INFO:")
            if is_worth_showing(line):
                last.append(line)
                say(f"  {line}")
    if process.returncode:
        said = " ".join(line.strip() for line in last) or "it printed nothing"
        command = " ".join(("zappa", *arguments))
        raise OperatorError(
            f"{command} ended with exit code {process.returncode}: {said.rstrip('.')}."
        )


def deploy_stage(stage: StageName, *, package: Path, say: Callable[[str], None]) -> None:
    """Have Zappa make or update the function and the API of a stage. Raises ``OperatorError``."""
    run_zappa("deploy", stage, package=package, say=say)
