"""What compose.yaml starts, in its order and environment, as processes that enroll a device.

No container engine is needed. The images' own parts, PostgreSQL's start among them, are not shown.
"""

import os
import signal
import stat
import subprocess
import sys
import time
from contextlib import ExitStack
from itertools import islice
from urllib.request import urlopen

import psycopg
import pytest

from tests.cluster.files import ROOT, compose, services
from tests.interop.server import printed_commands
from tests.support.members import devices_command, on_loopback
from tests.support.ports import free_ports
from tests.support.postgresql import private_server
from tests.support.programs import require_program

pytestmark = [pytest.mark.postgresql, pytest.mark.interop, pytest.mark.timeout(240)]

STARTED = ("devices", "admin", "schedule")
PORTS = {"devices": 8443, "admin": 8000}


class Composition:
    """The services as processes, with a directory for each volume."""

    def __init__(self, directory):
        self.volumes = {
            "/login": directory / "login",
            "/postgresql": directory / "postgresql-password",
            "/data": directory / "data",
        }
        for path in self.volumes.values():
            path.mkdir()
        self.ports = dict(zip(PORTS, islice(free_ports(), len(PORTS)), strict=True))
        self.database_port = 0

    def here(self, text):
        """What a container is told, for this machine."""
        for path, directory in self.volumes.items():
            if text == path or text.startswith(f"{path}/"):
                return f"{directory}{text.removeprefix(path)}"
        text = text.replace("@postgresql:5432/", f"@127.0.0.1:{self.database_port}/")
        for name, port in PORTS.items():
            text = text.replace(f":{port}/", f":{self.ports[name]}/")
        return text

    def environment(self, name):
        inherited = {n: os.environ[n] for n in ("PATH", "LANG", "TMPDIR") if n in os.environ}
        given = services()[name]["environment"]
        data = {"EST_DATA_DIR": str(self.volumes["/data"]), "PYTHONUNBUFFERED": "1"}
        return inherited | data | {key: self.here(value) for key, value in given.items()}

    def command(self, name):
        if name == "devices":
            _, command = devices_command()
            return on_loopback(command, self.ports[name])
        command = services()[name]["command"]
        if command[0] == "gunicorn":
            return on_loopback(command, self.ports[name])
        return self.adapted(command)

    def adapted(self, command):
        python = {"python": sys.executable}
        return [python.get(part, self.here(part)) for part in command]

    def run(self, name, *more):
        """Run a service that ends; return what it prints."""
        done = subprocess.run(
            [*self.command(name), *more],
            cwd=ROOT,
            env=self.environment(name),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, name, log):
        environment = self.environment(name)
        if name == "devices":
            environment["DJANGO_SETTINGS_MODULE"] = devices_command()[0]
        with log.open("wb") as output:
            return subprocess.Popen(
                self.command(name), cwd=ROOT, env=environment, stdout=output, stderr=output
            )

    def is_healthy(self, name):
        """Run the health check of the compose file, or else the image's."""
        check = services()[name].get("healthcheck", {}).get("test")
        command = check[1:] if check else image_check()
        return subprocess.run(self.adapted(command), cwd=ROOT, timeout=60).returncode == 0


def image_check():
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", "")
    (line,) = (line for line in text.splitlines() if line.startswith("HEALTHCHECK"))
    return [part.strip('" ') for part in line.partition("CMD [")[2].rstrip("]").split(",")]


@pytest.fixture(scope="module")
def composition(tmp_path_factory):
    return Composition(tmp_path_factory.mktemp("compose"))


@pytest.fixture(scope="module")
def made_password(composition):
    """The password that the first service makes, which a second run leaves as it is."""
    owner = f"{os.getuid()}:{os.getgid()}"
    composition.run("password", owner)
    password = (composition.volumes["/postgresql"] / "password").read_text()
    login = composition.volumes["/login"] / "pgpass"
    assert login.read_text() == f"*:*:*:est:{password}\n"
    assert stat.S_IMODE(login.stat().st_mode) == 0o600
    assert len(password) >= 32

    assert "exists" in composition.run("password", owner)
    login.unlink()  # as after a crash between the two files
    composition.run("password", owner)
    assert (composition.volumes["/postgresql"] / "password").read_text() == password
    return password


@pytest.fixture(scope="module")
def database(composition, made_password):
    """PostgreSQL as its image starts it: user, database and password are the compose file's."""
    given = compose()["services"]["postgresql"]["environment"]
    user = given["POSTGRES_USER"]
    with private_server() as server:
        server.execute(f"ALTER ROLE {user} PASSWORD '{made_password}'")
        (server.directory / "password").write_text(made_password)
        server.execute(f"CREATE DATABASE {given.get('POSTGRES_DB', user)}")
        composition.database_port = server.port
        yield server


def test_a_device_enrolls_at_what_compose_starts(composition, database, tmp_path):
    require_program("curl", package="curl")
    printed = composition.run("setup")
    assert "on record, left as it is" in composition.run("setup")  # as at the next start
    assert not composition.is_healthy("devices")
    with ExitStack() as stack:
        running = {name: composition.start(name, tmp_path / name) for name in STARTED}
        for process in running.values():
            stack.callback(process.kill)
        wait_until_healthy(composition, running)

        enrolled = subprocess.run(
            ["bash", "-e", "-c", composition.here(printed_commands(printed))],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
        login = urlopen(f"http://127.0.0.1:{composition.ports['admin']}/admin/login/")

        for process in running.values():
            process.send_signal(signal.SIGTERM)
        codes = {name: process.wait(timeout=40) for name, process in running.items()}

    assert enrolled.returncode == 0, enrolled.stdout + enrolled.stderr
    assert "device.pem: OK" in enrolled.stdout
    assert login.status == 200
    assert codes == dict.fromkeys(STARTED, 0)
    with psycopg.connect(database.url("est")) as connection:
        rows = connection.execute("SELECT common_name, state FROM pki_issuedcertificate")
        assert ("my-device-1", "issued") in rows.fetchall()


def wait_until_healthy(composition, running):
    give_up = time.monotonic() + 90
    for name in PORTS:
        while not composition.is_healthy(name):
            assert running[name].poll() is None
            assert time.monotonic() < give_up, name
            time.sleep(0.3)
