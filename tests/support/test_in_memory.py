"""Databases of tests are in memory where it has room for them."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support import in_memory


@pytest.fixture
def memory(tmp_path, monkeypatch):
    """A directory that plays /dev/shm, and a function that says how many bytes are free there."""
    directory = tmp_path / "memory"
    directory.mkdir()
    monkeypatch.setattr(in_memory, "_MEMORY", directory)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "disk"))
    (tmp_path / "disk").mkdir()

    def has(free):
        monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
        return directory

    return has


def test_a_directory_is_in_memory_and_a_second_one_is_another(memory):
    directory = memory(free=in_memory._NEEDED)

    made = {in_memory.make_directory("est-"), in_memory.make_directory("est-")}

    assert {*directory.iterdir()} == made
    assert len(made) == 2


def test_a_small_memory_is_left_to_others(memory, tmp_path):
    directory = memory(free=in_memory._NEEDED - 1)

    made = in_memory.make_directory("est-")

    assert made.parent == tmp_path / "disk"
    assert not [*directory.iterdir()]


def test_what_a_killed_process_left_is_deleted_and_what_another_one_uses_is_not(memory):
    directory = memory(free=in_memory._NEEDED)
    ended = subprocess.Popen(["true"])
    ended.wait()
    left, used = (directory / f"est-tests-{pid}-x" for pid in (ended.pid, os.getppid()))
    for path in (left, used):
        path.mkdir()
        (path / "test.sqlite3").write_bytes(b"x")

    made = in_memory.make_directory("est-tests-")

    assert {*directory.iterdir()} == {used, made}


def test_a_machine_without_such_a_directory_has_a_disk(monkeypatch, tmp_path):
    monkeypatch.setattr(in_memory, "_MEMORY", Path("/nowhere"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    assert in_memory.make_directory("est-").parent == tmp_path
