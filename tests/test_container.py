"""The lines that start a container: the Dockerfile's, and the admin's in docs/deploying.md."""

import http.client
import re
import shlex
import socket
import ssl
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.serialization import pkcs7

from bench.load import make_csr
from tests.interop.server import Installation
from tests.support.members import devices_command, on_loopback

ROOT = Path(__file__).parents[1]


def admin_command():
    text = (ROOT / "docs/deploying.md").read_text(encoding="utf-8").replace("\\\n", "")
    (line,) = re.findall(r"DJANGO_SETTINGS_MODULE=(.*gunicorn_admin.*)", text)
    settings, _image, *command = shlex.split(line.replace(" PROXY ", " 127.0.0.1 "))
    return settings, command


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    made = Installation.at(tmp_path_factory.mktemp("data"))
    made.quickstart()
    return made


@contextmanager
def running(installation, settings, command, port):
    """The command as given, but for the address: a test listens on loopback only."""
    environment = installation.environment | {"DJANGO_SETTINGS_MODULE": settings}
    process = subprocess.Popen(on_loopback(command, port), cwd=ROOT, env=environment)
    with process:
        try:
            _wait_for(port, process)
            yield
        finally:
            process.terminate()
    assert process.returncode == 0


def _wait_for(port, process):
    for _ in range(300):
        assert process.poll() is None
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("nobody listens")


def test_a_device_enrolls_at_what_the_image_starts(installation):
    context = ssl.create_default_context(cafile=installation.server_ca)
    context.load_cert_chain(*installation.test_client)
    with running(installation, *devices_command(), installation.port):
        connection = http.client.HTTPSConnection("localhost", installation.port, context=context)
        connection.request(
            *("POST", "/.well-known/est/simpleenroll", make_csr("contained-1", "p256")),
            headers={"Content-Type": "application/pkcs10"},
        )
        with connection.getresponse() as reply:
            body = reply.read()
        connection.close()

    assert reply.status == 200, body
    pem = b"-----BEGIN PKCS7-----\n" + body.strip() + b"\n-----END PKCS7-----\n"
    (certificate,) = pkcs7.load_pem_pkcs7_certificates(pem)
    assert certificate.subject.rfc4514_string() == "CN=contained-1"


@pytest.mark.parametrize(("forwarded", "status"), [("https", 302), ("http", 403)])
def test_people_log_in_through_a_proxy_that_says_it_does_tls(installation, forwarded, status):
    with running(installation, *admin_command(), installation.admin_port):
        assert _log_in(installation, forwarded) == status


def _log_in(installation, forwarded):
    """As a browser does that sees the proxy's https; returns the status."""
    connection = http.client.HTTPConnection("localhost", installation.admin_port)
    connection.request("GET", "/admin/login/")
    page = connection.getresponse()
    (token,) = re.findall(r'csrfmiddlewaretoken" value="(\w+)"', page.read().decode())
    assert "; Secure" in page.headers["Set-Cookie"]
    cookie = page.headers["Set-Cookie"].partition(";")[0]
    origin = f"https://localhost:{installation.admin_port}"
    form = {
        "username": "admin",
        "password": (installation.data_dir / "admin-password").read_text().strip(),
        "csrfmiddlewaretoken": token,
    }
    connection.request(
        *("POST", "/admin/login/", urlencode(form)),
        headers={
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": cookie,
            "Origin": origin,
            "Referer": f"{origin}/admin/login/",
            "X-Forwarded-Proto": forwarded,
        },
    )
    reply = connection.getresponse()
    reply.read()
    connection.close()
    return reply.status
