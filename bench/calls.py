"""Count the function calls of an enrollment, which no other work on the machine changes.

``python -m bench.calls`` makes an installation, and counts in the Lambda handler's process. So it
compares two versions on a machine that is too busy to compare times.
"""

import subprocess
import sys
from collections import Counter
from types import FrameType
from typing import Any

from bench import load
from bench.in_process import Handler, event, load_handler, own_output
from bench.installation import ROOT, new_installation

FIRST, COUNTED = 20, 50
"""Requests that fill caches, and those that are counted after them."""

_CHILD = "in-the-handlers-process"


def count(handler: Handler, events: list[dict[str, Any]]) -> Counter[str]:
    """Return how many functions of Python (``call``) and of C (``c_call``) were called."""
    calls: Counter[str] = Counter()

    def note(_: FrameType, what: str, __: object) -> None:
        calls[what] += 1

    sys.setprofile(note)
    try:
        answers = [handler(each, None) for each in events]
    finally:
        sys.setprofile(None)
    if any(int(answer["statusCode"]) != 200 for answer in answers):
        raise SystemExit("bench: a request was refused, so the calls say nothing")
    return calls


def main() -> None:
    """Print the calls of each operation, in a process that has an installation's environment."""
    if sys.argv[1:] != [_CHILD]:
        with new_installation() as installation:
            child = [sys.executable, "-m", "bench.calls", _CHILD]
            subprocess.run(child, cwd=ROOT, env=installation.est_environment, check=True)
        return
    printed = own_output()
    handler, client = load_handler()
    for operation in ("simpleenroll", "cacerts"):
        bodies = [
            load.make_csr(f"device-{number}", "p256").decode() if operation != "cacerts" else None
            for number in range(FIRST + COUNTED)
        ]
        events = [event(f"/.well-known/est/{operation}", client, body) for body in bodies]
        count(handler, events[:FIRST])
        calls = count(handler, events[FIRST:])
        python, c = calls["call"] / COUNTED, calls["c_call"] / COUNTED
        print(f"{operation}: {python:.0f} of Python, {c:.0f} of C", file=printed, flush=True)


if __name__ == "__main__":
    main()
