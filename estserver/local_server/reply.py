"""Replies in one write, and refusals of requests that gunicorn cannot parse."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from gunicorn.http import errors, wsgi  # type: ignore[import-untyped]

HOLD_BYTES = 16 * 1024
"""The size at which a reply is written: that of one TLS record (RFC 8446 5.1)."""

STATUS_BY_ERROR: dict[type[Exception], HTTPStatus] = {
    errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
    errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
}
"""The status for each error of gunicorn's parser. Any other error answers 400."""


class ClientGone(OSError):
    """The client's connection broke. The application's own `OSError` is not of this class."""


class Reply(wsgi.Response):  # type: ignore[misc]
    """Gunicorn's response, buffered until it is complete and then sent in one write.

    Two writes, for head and body, would be two segments. The second would wait until the client
    acknowledges the first, which many clients delay by 40 ms.
    """

    headers_sent: bool  # an attribute of gunicorn's class; here: written or buffered

    def __init__(self, request: Any, connection: Any, cfg: Any) -> None:
        super().__init__(request, connection, cfg)
        self.version = "est"  # the Server header names no product to look up exploits for
        self.on_the_wire = False
        self._buffer = bytearray()

    def should_close(self) -> bool:
        """Return whether the connection ends here.

        It does when reading the body failed, because the next request's start is unknown then.
        """
        return bool(self.req.body.failed or super().should_close())

    def send_headers(self) -> None:
        """Put the head into the buffer, so that it is sent with the body's first part."""
        if self.headers_sent:
            return
        lines = self.default_headers()
        lines += [f"{name}: {value}\r\n" for name, value in self.headers]
        self._buffer += "".join((*lines, "\r\n")).encode("latin-1")
        self.headers_sent = True

    def _emit_body(self, data: bytes) -> None:
        self._buffer += b"%X\r\n%b\r\n" % (len(data), data) if self.chunked else data
        if len(self._buffer) >= HOLD_BYTES:
            self._flush()

    def close(self) -> None:
        """Send the rest of the buffer, which is the whole reply unless it is large."""
        self.send_headers()
        if self.chunked:
            self._buffer += b"0\r\n\r\n"
        self._flush()

    def _flush(self) -> None:
        if self._buffer:
            self.on_the_wire = True
            try:
                self.sock.sendall(self._buffer)
            except OSError as error:
                raise ClientGone(str(error)) from error
            self._buffer.clear()


def status_of(error: Exception) -> HTTPStatus:
    """Return the HTTP status for an error of gunicorn's parser."""
    return STATUS_BY_ERROR.get(type(error), HTTPStatus.BAD_REQUEST)


def refusal(status: HTTPStatus, headers: Mapping[str, str] | None = None) -> bytes:
    """Return a whole reply in plain text, for a request that does not reach the application.

    The text is the status alone. Nothing that the client sent is repeated to it.
    """
    more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    body = f"{status.phrase}\n".encode("ascii")
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        "Connection: close\r\n"
        f"{more}"
        "Content-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body
