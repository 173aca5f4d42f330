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


def require_program(name: str, *, package: str) -> str:
    """The path of the program ``name``, which comes with the Debian package ``package``."""
    path = shutil.which(name)
    if path is None:
        unavailable(f"{name} isn't installed (Debian: {package}; see tests/install_packages.sh)")
    return path


def require_file(path: Path, *, package: str) -> Path:
    """``path`` itself, a file that comes with the Debian package ``package``."""
    if not path.exists():
        unavailable(f"{path} is missing (Debian: {package}; see tests/install_packages.sh)")
    return path
