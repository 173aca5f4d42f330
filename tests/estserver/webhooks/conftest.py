"""A receiver of webhooks on this machine, and a clock."""

import datetime
import http.server
import json
import ssl
import threading
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from django.utils import timezone

from estserver.webhooks.events import MEANINGS
from estserver.webhooks.subscriptions import add_webhook
from pki.record.audit_trail import Actor
from tests.support.builders import make_ca, make_certificate, make_key, make_name

OFFICER = Actor("admin:olga")


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that leaves early is what some tests are about."""


class Receiver:
    """An HTTPS server that keeps what it gets, and answers as a test says."""

    def __init__(self, directory):
        self.got = []
        self.status = 204
        self.headers = {}
        self.body = b""
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((self.path, dict(self.headers), body))
                self.send_response(receiver.status)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(receiver.body)

            def log_message(self, *_):
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        ca, key = make_ca("Receiver CA"), make_key(index=1)
        certificate = make_certificate(
            ca,
            subject=make_name("localhost"),
            public_key=key.public_key(),
            san=[x509.DNSName("localhost"), x509.DNSName("hooks.example.com")],
            extensions=[(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)],
        )
        chain = directory / "receiver.pem"
        chain.write_bytes(
            certificate.public_bytes(Encoding.PEM)
            + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        self.ca_file = directory / "receiver-ca.pem"
        self.ca_file.write_bytes(ca.certificate.public_bytes(Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        self.url = f"https://localhost:{self.port}/hooks?key=of-the-receiver"
        threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True).start()

    def events(self):
        """The types of what was got, in order."""
        return [json.loads(body)["type"] for _, _, body in self.got]

    def stop(self):
        """Let go of the port."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver(tmp_path, monkeypatch, allow_hosts):
    """Return a receiver whose host is listed and whose certificate is trusted."""
    one = Receiver(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(one.ca_file))
    allow_hosts("localhost")
    yield one
    one.stop()


@pytest.fixture
def configure(settings):
    """Return a function that changes keys of the configuration's section Properties."""

    def change(**keys):
        properties = replace(settings.CONFIG.properties, **keys)
        settings.CONFIG = replace(settings.CONFIG, properties=properties)

    return change


@pytest.fixture
def allow_hosts(configure):
    """Return a function that lists hosts which webhooks may lead to."""
    return lambda *hosts: configure(webhook_allowed_hosts=hosts)


@pytest.fixture
def clock(monkeypatch):
    """Return a function that moves the clock: ``clock(minutes=3)``. Keys stay as they are."""
    true_now, offset = timezone.now, datetime.timedelta()

    def move(**by):
        nonlocal offset
        offset += datetime.timedelta(**by)

    monkeypatch.setattr(timezone, "now", lambda: true_now() + offset)
    return move


@pytest.fixture
def subscribe(receiver):
    """Return a function that adds a webhook to the receiver, and returns it with its secret."""

    def add(*events, name="ours", url=""):
        return add_webhook(
            name, url or receiver.url, events or [*MEANINGS], reason="test", actor=OFFICER
        )

    return add
