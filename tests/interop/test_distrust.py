"""The local server's handshake follows a CA that is distrusted, without a restart (T46)."""

import socket
import ssl
import time

import pytest

from tests.interop.server import Installation, RunningServer

FOLLOWS_WITHIN = 5.0
"""Seconds that docs/security.md names."""
SLACK = 10.0
"""Seconds for a machine that is busy with other tests."""


@pytest.fixture
def running(tmp_path):
    """A server of this test alone, because its only client CA goes."""
    installation = Installation.at(tmp_path)
    installation.quickstart()
    server = RunningServer(installation, "--workers=1")
    yield installation
    assert server.stop() == 0, server.log.read_text()


def is_let_in(installation):
    """Return whether a handshake with the test client's certificate succeeds, in TLS 1.2.

    In TLS 1.3 a client learns only later that its certificate was refused.
    """
    context = ssl.create_default_context(cafile=installation.server_ca)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(*installation.test_client)
    with socket.create_connection(("localhost", installation.port), timeout=10) as raw:
        try:
            context.wrap_socket(raw, server_hostname="localhost").close()
        except ssl.SSLError as refusal:
            if "UNKNOWN_CA" not in refusal.reason:
                raise
            return False
    return True


def test_T46_the_handshake_follows_a_distrusted_ca(running):
    assert is_let_in(running)

    shown = running.manage("distrust_ca", "client-ca", "--reason", "copied", "--yes")

    assert "handshakes follow within 5 seconds" in shown
    give_up = time.monotonic() + FOLLOWS_WITHIN + SLACK
    while is_let_in(running):
        assert time.monotonic() < give_up
        time.sleep(0.2)
