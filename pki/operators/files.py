"""Write files that appear whole or not at all, and replace none by accident."""

import os
import tempfile
from pathlib import Path

_SECRET = 0o600
_PUBLIC = 0o644


def write_new(path: Path, content: bytes, *, secret: bool = False) -> None:
    """Write a file that must not exist yet. Raises ``FileExistsError`` if it does.

    Only the owner can read a ``secret`` file, from its first byte on.
    """
    _write(path, content, mode=_SECRET if secret else _PUBLIC, replace=False)


def replace_file(path: Path, content: bytes, *, secret: bool = False) -> None:
    """Write a file in place of an existing one. A crash leaves the old one or the new one."""
    _write(path, content, mode=_SECRET if secret else _PUBLIC, replace=True)


def _write(path: Path, content: bytes, *, mode: int, replace: bool) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode)
        if replace:
            Path(temporary).replace(path)
        else:
            os.link(temporary, path)  # unlike a rename, fails when the name is taken
    finally:
        Path(temporary).unlink(missing_ok=True)
