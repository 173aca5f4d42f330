"""Libraries are installed once for each lock and runtime, and kept for the next package."""

import re
import sys
from pathlib import Path

import pytest

from estserver.deploy.package import libraries
from estserver.deploy.package.libraries import add_libraries
from pki.operators.errors import OperatorError
from tests.estserver.deploy.packages import OWN, ROOT

PYTHON = Path(sys.executable)

pytestmark = pytest.mark.deploy


@pytest.fixture
def lock(monkeypatch, tmp_path):
    """A lock of one small library, in place of the stages'."""
    text = (ROOT / "requirements" / "admin.txt").read_text()
    lock = tmp_path / "lock.txt"
    lock.write_text(re.search(r"(?m)^durationpy==.*\n(?:    --hash=.*\n)+", text).group())
    monkeypatch.setattr(libraries, "stage_locks", lambda stage: [lock])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return lock


@pytest.fixture
def installed(monkeypatch):
    """How often pip was asked to install."""
    calls = []
    install = libraries._install
    monkeypatch.setattr(
        libraries, "_install", lambda *args: (calls.append(args[0]), install(*args))
    )
    return calls


def put(directory):
    directory.mkdir()
    add_libraries("admin", OWN, PYTHON, directory)
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}


def test_the_second_package_of_a_lock_takes_what_the_first_installed(lock, installed, tmp_path):
    first, second = put(tmp_path / "first"), put(tmp_path / "second")

    assert first == second
    assert any(
        re.fullmatch(r"durationpy/__pycache__/\w+\.cpython-\d+\.pyc", name) for name in first
    )
    assert len(installed) == 1


def test_another_lock_is_installed_anew(lock, installed, tmp_path):
    put(tmp_path / "first")
    lock.write_text(lock.read_text() + "# another\n")
    put(tmp_path / "second")

    assert len(installed) == 2


def test_a_file_of_the_projects_stays(lock, tmp_path):
    put(tmp_path / "first")
    own = tmp_path / "second" / "durationpy" / "__init__.py"
    own.parent.mkdir(parents=True)
    own.write_text("OURS = True\n")

    add_libraries("admin", OWN, PYTHON, tmp_path / "second")

    assert own.read_text() == "OURS = True\n"
    assert "OURS" not in (tmp_path / "first" / "durationpy" / "__init__.py").read_text()


def test_what_pip_refuses_leaves_nothing_behind(lock, tmp_path):
    lock.write_text(re.sub(r"sha256:\w+", "sha256:" + "0" * 64, lock.read_text()))

    with pytest.raises(OperatorError, match="The libraries cannot be installed"):
        put(tmp_path / "first")

    cache = tmp_path / "cache" / "est-server" / "libraries"
    assert list(cache.iterdir()) == []
    assert cache.stat().st_mode & 0o077 == 0


def test_old_sets_go(lock, monkeypatch, tmp_path):
    monkeypatch.setattr(libraries, "_KEPT", 2)
    text = lock.read_text()
    for number in range(3):
        lock.write_text(f"{text}# {number}\n")
        put(tmp_path / str(number))

    assert len(list((tmp_path / "cache" / "est-server" / "libraries").iterdir())) == 2
