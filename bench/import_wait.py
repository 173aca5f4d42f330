"""How long devices wait while a denylist is imported: longest answer without and with an import.

    python -m bench.import_wait [--lines 10000] [--certificates 0]

A server of its own runs with its defaults on SQLite, or on ``TEST_DATABASE_URL``. One client after
the other enrolls over mutual TLS while ``manage.py deny_import`` imports lines of every kind.
"""

import argparse
import os
import ssl
import subprocess
import sys
import threading
import time
from itertools import count
from pathlib import Path

from bench import load
from bench.installation import MeasuredInstallation, new_installation
from tests.interop.server import ROOT, RunningServer

SECONDS_BEFORE = 5.0
"""How long devices enroll without an import, for comparison."""


def write_lines(file: Path, lines: int) -> None:
    """Write a file of lines of the six kinds in turn, none of which names a device that enrolls."""
    with file.open("w") as text:
        text.write("kind,value,reason\n")
        for number in range(lines):
            kind = ("name", "device-serial", "fingerprint", "serial", "key", "client")[number % 6]
            value = f"{number + 1:064x}" if kind in ("fingerprint", "key", "client") else ""
            value = value or (f"{number + 1:x}" if kind == "serial" else f"denied-{number}")
            text.write(f"{kind},{value},recall\n")


class Devices:
    """Clients that enroll one after the other, in a thread, until ``stop``."""

    def __init__(self, installation: MeasuredInstallation) -> None:
        client, key = installation.test_client
        self._target = load.Target(
            host="127.0.0.1",
            port=installation.port,
            path="/.well-known/est/simpleenroll",
            server_ca=installation.server_ca,
            client=client,
            client_key=key,
            tls=None,
            timeout=30,
        )
        self.waits: list[tuple[float, float]] = []
        self.errors: list[str] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._enroll)
        self._thread.start()

    def _enroll(self) -> None:
        context: ssl.SSLContext = self._target.context()
        for number in count():
            if self._is_over.is_set():
                return
            body = load.make_csr(f"bench-{os.getpid()}-{number}", "p256")
            request = self._target.request(body)
            began = time.monotonic()
            said = load.exchange(self._target, context, request)
            self.waits.append((began, time.monotonic() - began))
            if said != "200":
                self.errors.append(said)

    def stop(self) -> None:
        """End the thread after the answer that it waits for."""
        self._is_over.set()
        self._thread.join()


def measure(installation: MeasuredInstallation, lines: int) -> str:
    """Return a line with the import's seconds and the waits before and during it."""
    file = installation.data_dir / "denied.csv"
    write_lines(file, lines)
    devices = Devices(installation)
    time.sleep(SECONDS_BEFORE)
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "manage.py", "deny_import", str(file)],
        cwd=ROOT,
        env=installation.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - began
    devices.stop()
    if done.returncode:
        raise SystemExit(f"bench: the import failed: {done.stderr}")
    before = sorted(wait for at, wait in devices.waits if at < began)
    during = sorted(wait for at, wait in devices.waits if at >= began)
    return (
        f"{lines} lines in {seconds:.1f} s. Longest answer: {before[-1] * 1000:.0f} ms of "
        f"{len(before)} before, {during[-1] * 1000:.0f} ms of {len(during)} during the import "
        f"(median {before[len(before) // 2] * 1000:.0f} and "
        f"{during[len(during) // 2] * 1000:.0f} ms). Failed: {len(devices.errors)}."
    )


def main() -> None:
    """Make an installation, serve it, and print the measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=10_000)
    parser.add_argument("--certificates", type=int, default=0, help="a history of so many")
    given = parser.parse_args()
    with new_installation(os.environ.get("TEST_DATABASE_URL", "")) as installation:
        if given.certificates:
            installation.fill(given.certificates)
        server = RunningServer(installation)
        try:
            sys.stdout.write(f"{measure(installation, given.lines)}\n")
        finally:
            server.stop()


if __name__ == "__main__":
    main()
