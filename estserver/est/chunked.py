"""Accept bodies in chunks, which some EST clients send and Django does not read (RFC 9112 7.1)."""

from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

MAX_BODY_BYTES = 32 * 1024
"""Twice the largest CSR, because base64 makes 4 bytes of 3, and PEM and line ends add some. Nothing
larger is read."""

_CAP = MAX_BODY_BYTES + 1  # one byte more shows that there is more


def accept_chunked_bodies(application: WSGIApplication) -> WSGIApplication:
    """Return ``application`` with bodies of known length where the client announced none.

    WSGI servers join the chunks and set no CONTENT_LENGTH, which Django takes for "no body".
    """

    def with_length(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("wsgi.input_terminated") and "CONTENT_LENGTH" not in environ:
            body = environ["wsgi.input"].read(_CAP)
            environ["CONTENT_LENGTH"] = str(len(body))
            environ["wsgi.input"] = BytesIO(body)
        return application(environ, start_response)

    return with_length
