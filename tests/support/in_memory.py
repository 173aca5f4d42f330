"""Where databases of tests are kept: in memory, where the machine has enough of it.

SQLite waits for the disk at each commit, as the product asks (``synchronous=FULL``), and a disk
takes some milliseconds for it. Tests only kill processes, and a file in memory outlives these.
"""

import os
import shutil
import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")
_NEEDED = 4 * 1000**3
"""Bytes that have to be free. A container often has 64 MB there, which a fleet would fill."""


def make_directory(prefix: str) -> Path:
    """Make a directory in memory, or else among the temporary files. The caller deletes it."""
    is_there = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK)
    if is_there:
        _delete_what_was_left()
    has_room = is_there and shutil.disk_usage(_MEMORY).free >= _NEEDED
    named = f"{prefix}{os.getpid()}-"
    return Path(tempfile.mkdtemp(prefix=named, dir=_MEMORY if has_room else None))


def _delete_what_was_left() -> None:
    """Delete directories of processes that were killed: nobody else would free this memory."""
    for path in _MEMORY.glob("est-*-*-*"):
        pid = path.name.split("-")[2]
        if pid.isdecimal() and not Path("/proc", pid).exists():
            shutil.rmtree(path, ignore_errors=True)
