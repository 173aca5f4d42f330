"""The server as `make run` starts it: processes of its own, real TLS, a database in a file."""

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path

from tests.support.ports import free_ports

ROOT = Path(__file__).parents[2]
START_SECONDS = 60
STOP_SECONDS = 30
COMMAND_SECONDS = 120


@dataclass(frozen=True)
class Installation:
    """A data directory, and what an operator does in it."""

    data_dir: Path
    port: int
    admin_port: int

    @classmethod
    def at(cls, data_dir: Path) -> "Installation":
        """An installation that will serve on ports that are free now."""
        one, other = itertools.islice(free_ports(), 2)
        return cls(data_dir, one, other)

    @property
    def environment(self) -> dict[str, str]:
        """This process's environment, less what would lead the server elsewhere."""
        elsewhere = ("DJANGO_SETTINGS_MODULE", "EST_", "DATABASE_URL", "PYTHONPATH")
        kept = {n: value for n, value in os.environ.items() if not n.startswith(elsewhere)}
        return kept | {
            "EST_CONFIG": str(ROOT / "config/config-local.yaml"),
            "EST_DATA_DIR": str(self.data_dir),
            "PYTHONUNBUFFERED": "1",
        }

    @property
    def server_ca(self) -> Path:
        """The trust anchor of the server's own certificate."""
        return self.data_dir / "server-ca.pem"

    @property
    def test_client(self) -> tuple[Path, Path]:
        """The bootstrap client's certificate and key."""
        return self.data_dir / "test-client.pem", self.data_dir / "test-client.key"

    def url(self, operation: str) -> str:
        """Where an EST operation is."""
        return f"https://localhost:{self.port}/.well-known/est/{operation}"

    def manage(self, *arguments: str) -> str:
        """Run ``manage.py``; returns what it prints, and fails when it fails."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def manage_in_turn(self, *commands: tuple[str, ...]) -> str:
        """Run commands in one process, whose start takes longer than most of them."""
        calls = [f"call_command(*{command!r})" for command in commands]
        code = "\n".join(["from django.core.management import call_command", *calls])
        return self.manage("shell", "--no-imports", "-c", code)

    @property
    def quickstart_command(self) -> tuple[str, ...]:
        """What makes database, CAs and test client."""
        return ("quickstart", f"--port={self.port}", f"--admin-port={self.admin_port}")

    def quickstart(self) -> str:
        """Make database, CAs and test client; returns what the operator reads."""
        return self.manage(*self.quickstart_command)

    def ask(self, code: str) -> object:
        """Run Python against the installation's database; what it calls ``answer`` comes back."""
        script = textwrap.dedent(code) + "\nimport json\nprint('answer', json.dumps(answer))\n"
        printed = self.manage("shell", "--no-imports", "-c", script)
        return json.loads(printed.rpartition("answer ")[2])

    def deny(self, common_name: str) -> None:
        """Put a thing name on the denylist."""
        assert self.ask(f"""
            from pki.record.audit_trail import Actor
            from pki.denylist.entries import deny
            answer = deny("name", {common_name!r}, reason="test", actor=Actor("test"))
        """)

    def revoke(self, fingerprint: str) -> None:
        """Revoke the certificate with this SHA-256."""
        assert self.ask(f"""
            from pki.record.audit_trail import Actor
            from pki.models import IssuedCertificate
            from pki.revocation.revoke import revoke_certificate
            row = IssuedCertificate.objects.get(fingerprint_sha256={fingerprint!r})
            answer = revoke_certificate(row, reason="keyCompromise", actor=Actor("test"))
        """)


class RunningServer:
    """``manage.py runest`` on an installation, until `stop`."""

    def __init__(self, installation: Installation, *options: str) -> None:
        self.installation = installation
        self.log = installation.data_dir / "server.log"
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "manage.py", "runest"),
                    f"--port={installation.port}",
                    f"--admin-port={installation.admin_port}",
                    *options,
                ],
                cwd=ROOT,
                env=installation.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        self._started_at = self.log.stat().st_size
        try:
            self._wait_until_open()
        except BaseException:
            self.stop()
            raise

    def _wait_until_open(self) -> None:
        give_up = time.monotonic() + START_SECONDS
        while "Ctrl-C stops both" not in self.log.read_text()[self._started_at :]:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < give_up, self.log.read_text()
            time.sleep(0.1)

    def est_processes(self) -> tuple[int, list[int]]:
        """The EST side's gunicorn: its master and its workers, as process ids."""
        (master,) = (
            pid for pid in _children(self.process.pid) if "gunicorn_est" in _command_line(pid)
        )
        return master, _children(master)

    def stop(self, *, by: signal.Signals = signal.SIGTERM) -> int:
        """Ask the server to stop; returns its exit code."""
        self.process.send_signal(by)
        return self.process.wait(timeout=STOP_SECONDS)


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def _command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


def printed_commands(quickstart_output: str) -> str:
    """The shell commands that quickstart tells a person to type."""
    _, _, after = quickstart_output.partition("Enroll a first device")
    commands = re.findall(r"(?m)^ {2,}\S.*$", after)
    assert commands, quickstart_output
    return "\n".join(commands)
