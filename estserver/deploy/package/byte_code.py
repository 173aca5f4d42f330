"""Compile what is packaged to byte code that Lambda can use."""

import os
from pathlib import Path

from estserver.deploy.package.process import run

LAMBDA_ROOT = "/var/task"
"""Where Lambda unpacks a package; what tracebacks name."""


def compile_tree(python: Path, directory: Path) -> None:
    """Compile everything to byte code that Python takes without a look at the source (PEP 552).

    By default byte code holds the time of its source, which a zip does not keep. Lambda would find
    all of it stale, and could not write any, because its directory is read-only.
    """
    run(
        [
            *(str(python), "-I", "-S", "-m", "compileall", "-q", "-f", f"-j{os.cpu_count() or 1}"),
            *("--invalidation-mode", "unchecked-hash"),
            *("-s", str(directory), "-p", LAMBDA_ROOT, str(directory)),
        ],
        "The package's Python cannot be compiled",
    )
