"""Programs and files that tests need, and what happens to a test if one is missing."""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest


def unavailable(what: str) -> NoReturn:
    """Skip the test, with ``what`` as the reason. With CI=true fail it, so that no test is lost."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} With CI=true nothing may be skipped.", pytrace=False)
    pytest.skip(what)


def require_program(name: str, *, package: str, beside: str = "") -> str:
    """Return the path of the program ``name`` from the Debian package ``package``.

    ``beside`` is a pattern of directories that are not on PATH. Of several versions, the newest
    is taken. Skips or fails the test if there is none.
    """
    path = shutil.which(name)
    if path is None and beside:
        others = sorted(Path("/").glob(f"{beside.lstrip('/')}/{name}"), key=_version)
        path = str(others[-1]) if others else None
    if path is None:
        unavailable(f"{name} is not installed (Debian: {package}). See tests/install_packages.sh.")
    return path


def _version(path: Path) -> tuple[int, ...]:
    """Return the numbers in a path, so that version 15 comes after version 9."""
    return tuple(int(part) for part in path.parts if part.isdigit())


def require_file(path: Path, *, package: str) -> Path:
    """Return ``path`` if it exists. Skips or fails the test if not, and names the package."""
    if not path.exists():
        unavailable(f"{path} is missing (Debian: {package}). See tests/install_packages.sh.")
    return path
