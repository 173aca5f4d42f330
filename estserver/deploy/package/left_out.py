"""Take away from a package what no function needs."""

import shutil
from pathlib import Path


def leave_out(patterns: tuple[str, ...], directory: Path) -> None:
    """Delete the files and directories in ``directory`` that match one of the glob patterns."""
    for pattern in patterns:
        for path in list(directory.glob(pattern)):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
