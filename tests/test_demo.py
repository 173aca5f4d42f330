"""`make demo-aws` ends as the README shows it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_demo_leaves_what_was_done_to_the_devices():
    done = subprocess.run(
        [sys.executable, "-m", "demo"], cwd=ROOT, capture_output=True, text=True, timeout=280
    )

    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout.rstrip().splitlines()[-1]
    assert last == "20 things; certificates: 30 ACTIVE, 2 REVOKED"
    assert f"    {last}\n" in (ROOT / "README.md").read_text()
