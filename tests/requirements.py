"""Programs that some tests need, and what it means when one isn't there."""

import os
import shutil
from pathlib import Path

import pytest


def require_program(name: str, *, beside: str = "/usr/lib/postgresql/*/bin") -> Path:
    """Return the path of a program, from PATH or from the newest directory matching ``beside``.

    Where it is missing, the test is skipped with the reason; with CI=true it fails, so that no
    proof is left out unnoticed.
    """
    found = shutil.which(name)
    if found:
        return Path(found)
    others = sorted(Path("/").glob(f"{beside.lstrip('/')}/{name}"), key=_version)
    if others:
        return others[-1]
    reason = f"{name} isn't installed: tests/install_packages.sh installs what the tests need"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def _version(path: Path) -> tuple[int, ...]:
    """The numbers in a path, so that version 15 comes after version 9."""
    return tuple(int(part) for part in path.parts if part.isdigit())
