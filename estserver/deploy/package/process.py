"""Run a program that takes part in making a package."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from pki.operators.errors import OperatorError

MINUTES = 60  # seconds


def run(
    command: Sequence[str],
    failure: str,
    *,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> None:
    """Run a program.

    Raises OperatorError with ``failure`` and the end of the program's output when it fails.
    """
    done = subprocess.run(  # noqa: S603 - Python, with fixed arguments
        command, env=environ, cwd=cwd, capture_output=True, text=True, timeout=10 * MINUTES
    )
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise OperatorError(f"{failure}:\n{said}")
