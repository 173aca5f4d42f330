"""How often a request waits for PostgreSQL, and how long it takes with 2 ms each way.

    python -m bench.round_trips

It starts a PostgreSQL server of its own, behind a loopback proxy that counts and delays. Requests
go through an API Gateway event and the Lambda handler.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.postgresql import private_server


def measure() -> list[tuple[str, int, float]]:
    """Return each kind of request, how often it waited, and its milliseconds.

    Raises ``SystemExit`` if a request was refused.
    """
    with private_server() as server:
        done = subprocess.run(
            [sys.executable, "-m", "tests.support.round_trips", str(server.port)],
            cwd=Path(__file__).parents[1],
            env={**os.environ, "TEST_DATABASE_URL": server.url()},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    measured = json.loads(done.stdout.splitlines()[-1])
    if measured["failures"]:
        sys.exit("\n".join(measured["failures"]))
    return [
        (name, trips, measured["milliseconds"][name])
        for name, trips in measured["round_trips"].items()
    ]


def main() -> None:
    """Print a row for each kind of request."""
    print("| request | round trips | ms |")
    print("|---|---|---|")
    for name, trips, milliseconds in measure():
        print(f"| {name} | {trips} | {milliseconds} |")


if __name__ == "__main__":
    main()
