"""Requests that no well-behaved client sends, byte by byte over real TLS, and their log lines."""

import base64
import json
import socket
import ssl
import time
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

pytestmark = pytest.mark.interop

CHUNKED = "Transfer-Encoding: chunked"
CACERTS = "/.well-known/est/cacerts"
SIMPLEENROLL = "/.well-known/est/simpleenroll"


class RawClient:
    """A TLS client that sends bytes as they are, and reads the server's log."""

    def __init__(self, installation):
        self.installation = installation
        self.log = installation.data_dir / "server.log"

    def ask(self, request, *, with_certificate=False):
        """Send ``request`` on a new connection; return its status, head and body."""
        context = ssl.create_default_context(cafile=str(self.installation.server_ca))
        if with_certificate:
            context.load_cert_chain(*self.installation.test_client)
        raw = socket.create_connection(("127.0.0.1", self.installation.port), timeout=20)
        with context.wrap_socket(raw, server_hostname="localhost") as connection:
            connection.sendall(request)
            data = b""
            while piece := connection.recv(65536):
                data += piece
        head, _, rest = data.partition(b"\r\n\r\n")
        return int(head[9:12]), head.decode(), rest

    def ask_and_read_log(self, request, **how):
        """Do the same, and return the status and the one line of the log, decoded."""
        before = self.log.stat().st_size
        status, _, rest = self.ask(request, **how)
        for _ in range(50):
            lines = self.log.read_bytes()[before:].decode().splitlines()
            if lines:
                break
            time.sleep(0.02)
        time.sleep(0.1)  # for a line that should not be there
        (line,) = self.log.read_bytes()[before:].decode().splitlines()
        return status, rest.decode(), json.loads(line)


@pytest.fixture
def raw(server):
    """A client of the session's server."""
    return RawClient(server)


def request(method, target, *headers, body=b"", version="1.1", host="localhost"):
    """A request's bytes. Without ``host`` there is no Host header."""
    names = [f"Host: {host}"] if host is not None else []
    lines = [f"{method} {target} HTTP/{version}", *names, "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


# Bodies


@pytest.mark.parametrize("with_certificate", [False, True], ids=["stranger", "client"])
@pytest.mark.parametrize(
    "method_and_path", [("POST", SIMPLEENROLL), ("GET", CACERTS), ("PUT", "/x")]
)
@pytest.mark.parametrize(
    "body",
    [
        b"zz\r\nhello\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhelloXX0\r\n\r\n",
        b"5;a=\x01\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\r\n0\r\nno trailer\r\n\r\n",
        b"0\r\nHost: other.example\r\n\r\n",
        b"0" * 5000,
    ],
    ids=["size", "sign", "terminator", "extension", "trailer", "forbidden trailer", "endless size"],
)
def test_T51_malformed_chunks_are_a_400_and_one_json_line(
    raw, method_and_path, body, with_certificate
):
    method, path = method_and_path

    status, text, line = raw.ask_and_read_log(
        request(method, path, CHUNKED, body=body), with_certificate=with_certificate
    )

    assert status == 400
    assert text.startswith("body-chunks-malformed: A chunk or the trailer")
    assert line["request_id"] in text
    assert (line["status"], line["reason"]) == (400, "body-chunks-malformed")
    assert (line["method"], line["path"]) == (method, path)
    assert bool(line.get("client")) == with_certificate


def test_T51_the_reply_to_malformed_chunks_survives_what_else_was_sent(raw):
    body = b"zz\r\n" + b"x" * 30_000

    status, head, text = raw.ask(request("POST", SIMPLEENROLL, CHUNKED, body=body))

    assert status == 400
    assert "Connection: close" in head
    assert text.endswith(b")\n")


def test_T51_a_well_formed_chunked_body_enrolls_with_extensions_and_trailers(
    raw, openssl, tmp_path
):
    csr = openssl.make_csr(openssl.make_key(tmp_path / "key.pem"), "chunks-and-trailers")
    text = base64.b64encode(csr)
    chunk = b'%x;note="a"\r\n%b\r\n' % (len(text), text)

    status, _, reply = raw.ask(
        request(
            *("POST", SIMPLEENROLL, CHUNKED, "Content-Type: application/pkcs10"),
            body=chunk + b"0\r\nX-Note: a trailer\r\n\r\n",
        ),
        with_certificate=True,
    )

    assert status == 200, reply


@pytest.mark.parametrize("coding", ["gzip, chunked", "GZIP,chunked", "deflate, chunked"])
def test_T51_another_transfer_coding_than_chunked_is_a_501(raw, coding):
    body = b"0\r\n\r\n"

    status, text, line = raw.ask_and_read_log(
        request("POST", SIMPLEENROLL, f"Transfer-Encoding: {coding}", body=body),
        with_certificate=True,
    )

    assert status == 501
    assert text.startswith("transfer-coding-unknown: ")
    assert line["reason"] == "transfer-coding-unknown"


# Hosts


@pytest.mark.parametrize("target", [CACERTS, "/healthz", f"https://localhost{CACERTS}"])
def test_T51_http_1_1_without_host_is_refused(raw, target):
    status, text, line = raw.ask_and_read_log(request("GET", target, host=None))

    assert status == 400
    assert text.startswith("host-missing: The HTTP/1.1 request has no Host header.")
    assert line["reason"] == "host-missing"


def test_T51_http_1_0_needs_no_host(raw):
    assert raw.ask(request("GET", CACERTS, version="1.0", host=None))[0] == 200


@pytest.mark.parametrize(
    ("authority", "status"),
    [
        ("localhost", 200),
        ("localhost:8443", 200),
        ("other.example", 400),
        ("other.example:443", 400),
        ("localhost@other.example", 400),
        ("localhost.other.example", 400),
        ("", 400),
    ],
)
def test_T51_a_target_in_absolute_form_is_for_the_host_that_it_names(raw, authority, status):
    for path in (CACERTS, "/healthz"):
        assert raw.ask(request("GET", f"https://{authority}{path}"))[0] == status


def test_T51_a_foreign_host_gets_the_probes_pages_and_nothing_else(raw):
    for host in ("10.1.2.3", "10.1.2.3:8443", "[fd00::1]", "probe"):
        for path in ("/healthz", "/readyz"):
            assert raw.ask(request("GET", path, host=host))[0] == 200
        for path in (CACERTS, "/crl/device-ca.crl", "/healthz/", "/x"):
            status, _, body = raw.ask(request("GET", path, host=host))
            assert (status, body[:16]) == (400, b"host-not-allowed")


@pytest.mark.parametrize("path", [CACERTS, "/healthz", "/nowhere", SIMPLEENROLL])
def test_W4_head_is_answered_with_the_headers_of_get_and_no_body(raw, path):
    got, head = raw.ask(request("GET", path)), raw.ask(request("HEAD", path))

    assert (head[0], head[2]) == (got[0], b"")
    assert f"Content-Length: {len(got[2])}" in head[1]


def test_admin_names_no_server_product(server):
    with urlopen(f"http://127.0.0.1:{server.admin_port}/healthz", timeout=20) as reply:
        assert reply.headers.get_all("Server") == ["est"]
        assert "gunicorn" not in str(reply.headers)


def test_T51_admin_of_a_running_server_answers_probes_by_address(server):
    url = f"http://127.0.0.1:{server.admin_port}"
    for path in ("/healthz", "/readyz"):
        with urlopen(Request(url + path, headers={"Host": "10.1.2.3"}), timeout=20) as reply:
            assert reply.status == 200
    with pytest.raises(HTTPError, match="400"):
        urlopen(Request(f"{url}/admin/", headers={"Host": "10.1.2.3"}), timeout=20)
