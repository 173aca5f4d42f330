"""Programs that others wrote, and what happens to a test where one of them is missing."""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest


def unavailable(what: str) -> NoReturn:
    """Skip the test that needs ``what``; with CI=true fail it, so that no proof goes missing."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what}, and with CI=true nothing may be skipped", pytrace=False)
    pytest.skip(what)


def require_program(name: str, *, package: str, beside: str = "") -> str:
    """The path of the program ``name``, which comes with the Debian package ``package``.

    ``beside`` is a glob of directories that aren't on PATH; of several versions, the newest.
    """
    path = shutil.which(name)
    if path is None and beside:
        others = sorted(Path("/").glob(f"{beside.lstrip('/')}/{name}"), key=_version)
        path = str(others[-1]) if others else None
    if path is None:
        unavailable(f"{name} isn't installed (Debian: {package}; see tests/install_packages.sh)")
    return path


def _version(path: Path) -> tuple[int, ...]:
    """The numbers in a path, so that version 15 comes after version 9."""
    return tuple(int(part) for part in path.parts if part.isdigit())


def require_file(path: Path, *, package: str) -> Path:
    """``path`` itself, a file that comes with the Debian package ``package``."""
    if not path.exists():
        unavailable(f"{path} is missing (Debian: {package}; see tests/install_packages.sh)")
    return path
