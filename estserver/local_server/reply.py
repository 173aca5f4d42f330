"""What leaves the server: a reply in one write, and refusals of requests that aren't HTTP."""

from http import HTTPStatus
from typing import Any

from gunicorn.http import errors, wsgi  # type: ignore[import-untyped]

HOLD_BYTES = 16 * 1024
"""How much of a reply is collected before it is written: one TLS record (RFC 8446 5.1)."""

STATUS_BY_ERROR: dict[type[Exception], HTTPStatus] = {
    errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
    errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
}
"""What a request that gunicorn can't parse is answered with; 400 for everything else."""


class ClientGone(OSError):
    """The connection broke; an `OSError` of the application's own is something else."""


class Reply(wsgi.Response):  # type: ignore[misc]
    """gunicorn's response, held back until it is whole, then sent in one write.

    Head and body in two writes are two segments. The second then waits for the client to
    acknowledge the first, which many clients put off for 40 ms.
    """

    headers_sent: bool  # gunicorn's; here: written or held

    def __init__(self, request: Any, connection: Any, cfg: Any) -> None:
        super().__init__(request, connection, cfg)
        self.version = "est"  # the Server header names no product to look up exploits for
        self.on_the_wire = False
        self._held = bytearray()

    def send_headers(self) -> None:
        """Hold the head back, for the first part of the body to go with."""
        if self.headers_sent:
            return
        lines = self.default_headers()
        lines += [f"{name}: {value}\r\n" for name, value in self.headers]
        self._held += "".join((*lines, "\r\n")).encode("latin-1")
        self.headers_sent = True

    def _emit_body(self, data: bytes) -> None:
        self._held += b"%X\r\n%b\r\n" % (len(data), data) if self.chunked else data
        if len(self._held) >= HOLD_BYTES:
            self._flush()

    def close(self) -> None:
        """Send what is held back, which for all but large replies is everything."""
        self.send_headers()
        if self.chunked:
            self._held += b"0\r\n\r\n"
        self._flush()

    def _flush(self) -> None:
        if self._held:
            self.on_the_wire = True
            try:
                self.sock.sendall(self._held)
            except OSError as error:
                raise ClientGone(str(error)) from error
            self._held.clear()


def status_of(error: Exception) -> HTTPStatus:
    """The status that tells a client what its unparsable request did wrong."""
    return STATUS_BY_ERROR.get(type(error), HTTPStatus.BAD_REQUEST)


def refusal(status: HTTPStatus) -> bytes:
    """A whole reply in plain text, for when no application saw the request.

    The text names the status and nothing else: what the client sent isn't given back to it.
    """
    body = f"{status.phrase}\n".encode("ascii")
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        "Connection: close\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body
