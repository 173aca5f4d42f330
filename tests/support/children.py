"""Child processes of a test, which talks to them line by line."""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


@contextmanager
def running(module, **environment):
    """Run ``python -m module`` with pipes to its input and output, and kill it with the block."""
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
