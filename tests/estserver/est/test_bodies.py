"""Bodies in chunks, as a WSGI server hands them over."""

import pytest
from gunicorn.http.errors import InvalidChunkSize

from estserver.est.chunked import BODY_PROBLEM, MAX_BODY_BYTES, accept_chunked_bodies
from estserver.est.reasons import HTTPReason
from tests.support.builders import make_ca
from tests.support.est_client import BASE
from tests.support.transports import FakeTLSSocket, through_socket


class Chunks:
    """A body that a server joins from chunks, and that may turn out to be malformed."""

    def __init__(self, content, error=None):
        self.content, self.error = content, error
        self.count = 0

    def read(self, size):
        piece, self.content = self.content[:size], self.content[size:]
        self.count += len(piece)
        if not piece and self.error:
            raise self.error
        return piece


def environ_after(body, certificate):
    """The environ that the application gets."""
    reached = []
    application = accept_chunked_bodies(lambda environ, start: reached.append(environ) or [])
    application(
        {
            "wsgi.input": body,
            "wsgi.input_terminated": True,
            "HTTP_TRANSFER_ENCODING": "chunked",
            "gunicorn.socket": FakeTLSSocket(certificate),
        },
        None,
    )
    (environ,) = reached
    return environ


@pytest.fixture(scope="module")
def certificate():
    return make_ca("anybody").certificate


def test_T51_a_body_is_held_undecoded_for_a_client_certificate(certificate):
    environ = environ_after(Chunks(b"=not base64="), certificate)

    assert environ["CONTENT_LENGTH"] == "12"
    assert environ["wsgi.input"].read() == b"=not base64="
    assert BODY_PROBLEM not in environ


def test_T51_no_body_is_held_without_a_client_certificate():
    body = Chunks(b"x" * 1000)

    environ = environ_after(body, None)

    assert body.count == 1000  # it was read, so that the framing is known to be good
    assert environ["CONTENT_LENGTH"] == "0"
    assert environ["wsgi.input"].read() == b""


@pytest.mark.parametrize("with_certificate", [False, True])
def test_T51_no_body_is_read_beyond_the_cap(certificate, with_certificate):
    body = Chunks(b"x" * 10 * MAX_BODY_BYTES)

    environ_after(body, certificate if with_certificate else None)

    assert body.count == MAX_BODY_BYTES + 1


@pytest.mark.parametrize("with_certificate", [False, True])
def test_T51_malformed_chunks_reach_the_application_as_a_reason(certificate, with_certificate):
    body = Chunks(b"x" * 100, InvalidChunkSize(b"zz"))

    environ = environ_after(body, certificate if with_certificate else None)

    assert environ[BODY_PROBLEM] is HTTPReason.BODY_CHUNKS_MALFORMED
    assert environ["wsgi.input"].read() == b""


@pytest.mark.parametrize("operation", ["simpleenroll", "simplereenroll"])
def test_T51_no_body_is_decoded_before_the_caller_is_permitted(
    installation, certificate, monkeypatch, operation
):
    def decode(body):
        raise AssertionError("decoded")

    monkeypatch.setattr("estserver.est.parsers.decode_csr", decode)
    url = f"{BASE}/{operation}"

    stranger = through_socket("POST", url, body=b"x" * 100)
    untrusted = through_socket("POST", url, body=b"x" * 100, certificate=certificate)

    assert stranger.reason == "client-certificate-missing"
    assert untrusted.status_code == 403
