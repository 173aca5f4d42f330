"""Bodies in chunks, which some EST clients send and Django doesn't read (RFC 9112 7.1)."""

from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

MAX_BODY_BYTES = 32 * 1024
"""Twice the largest CSR: base64 makes 4 bytes of 3, PEM and line ends a little more. Nothing larger
is read at all."""

_CAP = MAX_BODY_BYTES + 1  # one byte more shows that there is more


def accept_chunked_bodies(application: WSGIApplication) -> WSGIApplication:
    """Give ``application`` a body of known length where the client announced none.

    WSGI servers undo the chunks but leave CONTENT_LENGTH away, which Django takes for "no body".
    """

    def with_length(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("wsgi.input_terminated") and "CONTENT_LENGTH" not in environ:
            body = environ["wsgi.input"].read(_CAP)
            environ["CONTENT_LENGTH"] = str(len(body))
            environ["wsgi.input"] = BytesIO(body)
        return application(environ, start_response)

    return with_length
