"""haproxy as config/haproxy.cfg configures it, on loopback before servers of a test."""

import csv
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.programs import require_program

CONFIGURATION = Path(__file__).parents[2] / "config" / "haproxy.cfg"
ADDRESS = "127.0.0.8"
"""The address that the balancer connects from."""
CHECKS = "inter 300ms"


class Balancer:
    """A running haproxy."""

    def __init__(self, port: int, control: Path) -> None:
        self.port = port
        self._control = control

    def states(self) -> dict[str, str]:
        """Return what haproxy thinks of each server: UP, DOWN and so on."""
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(str(self._control))
            control.sendall(b"show stat\n")
            text = b"".join(iter(lambda: control.recv(65536), b"")).decode().lstrip("# ")
        rows = csv.DictReader(text.splitlines())
        return {row["svname"]: row["status"] for row in rows if row["svname"] in {"one", "two"}}

    def wait_for(self, server: str, state: str, *, seconds: float = 60) -> None:
        """Wait until haproxy thinks so of a server."""
        give_up = time.monotonic() + seconds
        while not self.states()[server].startswith(state):
            assert time.monotonic() < give_up, self.states()
            time.sleep(0.05)


@contextmanager
def balancer(directory: Path, port: int, servers: Sequence[int], ca: Path) -> Iterator[Balancer]:
    """Run haproxy on ``port`` before two servers' ports on loopback, and end it with the block.

    What the file says stays, but for addresses, paths and the interval. No failed connection is
    tried again, so a server that refuses one before it is known to be down makes a test fail.
    """
    haproxy = require_program("haproxy", package="haproxy", beside="/usr/sbin")
    control = directory / "haproxy.sock"
    one, other = servers
    text = CONFIGURATION.read_text(encoding="utf-8")
    for found, wanted in (
        ("/run/haproxy/admin.sock", str(control)),
        ("    mode tcp\n", "    mode tcp\n    retries 0\n"),
        ("bind :8443", f"bind 127.0.0.1:{port}"),
        ("inter 1s", f"{CHECKS} source {ADDRESS}"),
        ("/etc/haproxy/server-ca.pem", str(ca)),
        ("est-1.example.com:8443", f"127.0.0.1:{one}"),
        ("est-2.example.com:8443", f"127.0.0.1:{other}"),
    ):
        assert text.count(found) == 1, found
        text = text.replace(found, wanted)
    configuration = directory / "haproxy.cfg"
    configuration.write_text(text)
    log = directory / "haproxy.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [haproxy, "-db", "-f", configuration], stdout=output, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            give_up = time.monotonic() + 30
            while not control.exists():
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < give_up, log.read_text()
                time.sleep(0.05)
            yield Balancer(port, control)
        finally:
            process.terminate()
