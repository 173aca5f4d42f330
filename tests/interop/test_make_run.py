"""`make run` as a person uses it: start, Ctrl-C, start again."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.interop.server import ROOT, START_SECONDS, STOP_SECONDS, Installation
from tests.support.programs import require_program

pytestmark = pytest.mark.interop

KEPT = ["server-ca.pem", "test-client.pem", "test-client.p12", "admin-password", "secret-key"]


@dataclass(frozen=True)
class MakeRun:
    """`make run` with its knobs, in a process group of its own, as a terminal has it."""

    make: str
    installation: Installation
    log: Path

    def start(self) -> subprocess.Popen[bytes]:
        """Start it; the packages are taken as installed, as this test runs on them."""
        virtual_environment = Path(sys.prefix)
        with self.log.open("wb") as output:
            return subprocess.Popen(
                [
                    *(self.make, "run", f"VENV={virtual_environment}"),
                    f"--old-file={virtual_environment}/.run",
                    f"EST_PORT={self.installation.port}",
                    f"ADMIN_PORT={self.installation.admin_port}",
                    f"DATA_DIR={self.installation.data_dir}",
                ],
                cwd=ROOT,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            )

    @property
    def environment(self) -> dict[str, str]:
        """Without what an outer make and pytest tell their children."""
        outer = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "DJANGO_SETTINGS_MODULE"}
        kept = {name: value for name, value in os.environ.items() if name not in outer}
        return kept | {"PYTHONUNBUFFERED": "1"}

    def said(self) -> str:
        """What the terminal shows by now."""
        return self.log.read_text()

    def until_ctrl_c(self, meanwhile: Callable[[], object] = str) -> str:
        """Start, wait for both doors, do something, press Ctrl-C; returns what it said."""
        process = self.start()
        try:
            give_up = time.monotonic() + START_SECONDS
            while "Ctrl-C stops both" not in self.said():
                assert process.poll() is None, self.said()
                assert time.monotonic() < give_up, self.said()
                time.sleep(0.1)
            meanwhile()
        finally:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(timeout=STOP_SECONDS)
        return self.said()


@pytest.fixture
def make_run(tmp_path):
    """`make run` on a data directory that isn't there yet."""
    make = require_program("make", package="make")
    return MakeRun(make, Installation.at(tmp_path / "data"), tmp_path / "log")


def is_free(port: int) -> bool:
    """Whether somebody could listen there."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def test_ctrl_c_stops_both_doors_and_the_second_run_keeps_everything(make_run):
    data_dir = make_run.installation.data_dir

    first = make_run.until_ctrl_c()
    kept = {name: (data_dir / name).read_bytes() for name in KEPT}
    second = make_run.until_ctrl_c()

    password = kept["admin-password"].decode().strip()
    assert (password in first, password in second) == (True, False)
    assert {name: (data_dir / name).read_bytes() for name in KEPT} == kept
    for port in (make_run.installation.port, make_run.installation.admin_port):
        assert is_free(port)
    for said in (first, second):
        after = said.rpartition("Ctrl-C stops both.")[2]
        assert "Traceback" not in said
        assert "Error" not in after
        assert "Warning" not in after


def test_the_admin_can_be_used_by_plain_http_on_this_machine_alone(make_run):
    """Browsers send no cookie marked Secure by plain HTTP; elsewhere ours are marked."""
    page = f"http://127.0.0.1:{make_run.installation.admin_port}/admin/login/"
    cookies = []

    make_run.until_ctrl_c(lambda: cookies.append(urlopen(page).headers["Set-Cookie"]))

    assert "csrftoken=" in cookies[0]
    assert "Secure" not in cookies[0]


def test_port_in_use_is_one_sentence(make_run):
    with socket.create_server(("127.0.0.1", make_run.installation.port)):
        process = make_run.start()
        assert process.wait(timeout=START_SECONDS) != 0

    said = make_run.said()
    assert f"cannot listen on 127.0.0.1:{make_run.installation.port}" in said
    assert "Address already in use" in said
    assert "Traceback" not in said
