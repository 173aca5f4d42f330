"""Servers of a cluster: processes of their own, started as the image starts them."""

import http.client
import json
import re
import ssl
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.interop.server import ROOT, Installation

DOCKERFILE = ROOT / "Dockerfile"
EVERYWHERE = "0.0.0.0:"
CHECK_SECONDS = 3
"""How long a check waits for an answer, as docs/cluster.md advises."""


def devices_command() -> tuple[str, list[str]]:
    """Return the settings module and the command line that the image starts."""
    text = DOCKERFILE.read_text(encoding="utf-8").replace("\\\n", "")
    (command,) = re.findall(r"(?m)^CMD (\[.*\])$", text)
    _env, settings, *command = json.loads(command)
    return settings.partition("=")[2], command


def on_loopback(command: list[str], port: int) -> list[str]:
    """Return a container's command for this machine, where a test listens on loopback only."""
    assert f"--bind {EVERYWHERE}" in " ".join(command)  # a container's loopback is its own
    here = [f"127.0.0.1:{port}" if part.startswith(EVERYWHERE) else part for part in command]
    return [sys.executable, "-m", *here]


@dataclass(frozen=True)
class Member(Installation):
    """A server of a cluster, with the cluster's database and a copy of its files."""

    more: Mapping[str, str] = field(default_factory=dict)
    """Its environment, beside that of every installation."""

    @property
    def environment(self) -> dict[str, str]:
        """The environment of its commands and processes."""
        return super().environment | dict(self.more)


class RunningMember:
    """A member's device side, until `stop`."""

    def __init__(self, member: Member, log: Path | None = None) -> None:
        self.member = member
        self.log = log or member.data_dir / "server.log"
        settings, command = devices_command()
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                on_loopback(command, member.port),
                cwd=ROOT,
                env=member.environment | {"DJANGO_SETTINGS_MODULE": settings},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def readiness(self) -> int:
        """Return the status of /readyz, or 0 for no answer."""
        context = ssl.create_default_context(cafile=str(self.member.server_ca))
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.member.port, timeout=CHECK_SECONDS, context=context
        )
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    def wait_until(self, *statuses: int, seconds: float = 60) -> float:
        """Wait until /readyz has one of these. Return how many seconds it took."""
        began = time.monotonic()
        while (found := self.readiness()) not in statuses:
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            assert time.monotonic() < began + seconds, (found, self.log.read_text()[-3000:])
            time.sleep(0.1)
        return time.monotonic() - began

    def stop(self) -> int:
        """Stop the server as an orchestrator does; return its exit code."""
        self.process.terminate()
        return self.process.wait(timeout=40)
