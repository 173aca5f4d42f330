"""A test's own child process, which is spoken to line by line."""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


@contextmanager
def running(module, **environment):
    """``python -m module`` with pipes to its input and output; it is killed with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | environment,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()
