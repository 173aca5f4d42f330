"""A gunicorn that serves a small application to devices, and a client for it."""

import socket
import subprocess
import time

import pytest

from estserver.local_server.supervisor import Door

BALANCER = "127.0.0.9"
"""An address that the application's settings trust."""
ENORMOUS = 40_000_000
"""The size of one of the application's answers, in bytes."""
APPLICATION = """
    import time
    from estserver.est.transport import peer_chain
    from pki.waiting import waiting

    def application(environ, start_response):
        path, connection = environ["PATH_INFO"], environ["gunicorn.socket"]
        if path == "/fail":
            raise RuntimeError("a secret")
        if path == "/slow":
            time.sleep(1)
        if path == "/signer":
            with waiting():
                time.sleep(3)
        if path != "/unread":
            environ["wsgi.input"].read()
        body = {
            "/chain": b"".join(peer_chain(connection)),
            "/large": b"x" * 300_000,
            "/huge": b"x" * 8_000_000,
            "/enormous": b"x" * (40_000_000 if path == "/enormous" else 0),
            "/who": environ["REMOTE_ADDR"].encode(),
            "/draining": str(environ.get("est.is_draining", False)).encode(),
        }.get(path, (peer_chain(connection) or (b"nobody",))[0])
        headers = [("Content-Type", "application/pkcs7-mime; smime-type=certs-only")]
        if path != "/chunked":
            headers.append(("Content-Length", str(len(body))))
        start_response("200 OK", headers)
        return [body[:3], body[3:]]

    class Truststore:
        def version(self):
            return "1"

        def pem(self):
            return TRUSTSTORE
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def device_door(*options):
    return Door(
        name="EST server",
        application="dummy_application:application",
        django_settings="dummy_settings",
        gunicorn_settings="estserver.serving.gunicorn_est",
        host="127.0.0.1",
        port=free_port(),
        options=("--workers=1", *options),
    )


class Server:
    """A running gunicorn, and a client for it."""

    def __init__(self, fleet, door, log):
        self.fleet, self.door, self.log = fleet, door, log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                door.command(), env=door.environment(), stderr=output, stdout=output
            )
        for _ in range(200):
            if door.is_listening():
                return
            time.sleep(0.05)
        pytest.fail(log.read_text())

    def connect(self, party=None, *chain, version=None):
        raw = socket.create_connection((self.door.host, self.door.port), timeout=10)
        context = self.fleet.client_context(party, *chain, version=version)
        try:
            return context.wrap_socket(raw, server_hostname="localhost")
        except BaseException:
            raw.close()
            raise

    def ask(self, request, *who, **how):
        with self.connect(*who, **how) as connection:
            connection.sendall(request)
            return read_reply(connection)

    def stop(self):
        self.process.terminate()
        return self.process.wait(timeout=20)


def get(path, *headers):
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode()


def read_reply(connection):
    """Status, head and body of one reply, which must have a Content-Length."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += (chunk := connection.recv(65536))
        assert chunk, data
    head, _, rest = data.partition(b"\r\n\r\n")
    body = bytearray(rest)
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += (chunk := connection.recv(65536))
        assert chunk
    return int(head[9:12]), head.decode(), bytes(body)
