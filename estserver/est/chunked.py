"""Accept bodies in chunks, which some EST clients send and Django does not read (RFC 9112 7.1)."""

from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

from estserver.est.reasons import HTTPReason
from estserver.est.transport import peer_certificate

WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

MAX_BODY_BYTES = 32 * 1024
"""Twice the largest CSR, because base64 makes 4 bytes of 3, and PEM and line ends add some. Nothing
larger is read."""

BODY_PROBLEM = "estserver.body_problem"
"""The key in the WSGI environ for the `HTTPReason` to refuse a body, before any view reads it."""

_CAP = MAX_BODY_BYTES + 1  # one byte more shows that there is more
_PIECE_BYTES = 4096


def accept_chunked_bodies(application: WSGIApplication) -> WSGIApplication:
    """Return ``application`` with bodies of known length where the client announced none.

    WSGI servers join the chunks and set no CONTENT_LENGTH, which Django takes for "no body". The
    framing is checked here, for every path and caller. The body stays as it came, within the cap.
    A caller without a client certificate may use no operation that takes a body, so its body is
    thrown away while it is read.
    """

    def with_length(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("wsgi.input_terminated") and "CONTENT_LENGTH" not in environ:
            # Without a length and a transfer coding a request has no body (RFC 9112 6.3).
            is_coded = "HTTP_TRANSFER_ENCODING" in environ
            body, problem = _read(environ) if is_coded else (b"", None)
            environ["CONTENT_LENGTH"] = str(len(body))
            environ["wsgi.input"] = BytesIO(body)
            if problem is not None:
                environ[BODY_PROBLEM] = problem
        return application(environ, start_response)

    return with_length


def _read(environ: dict[str, Any]) -> tuple[bytes, HTTPReason | None]:
    """Return the body up to the cap, or no byte and the reason to refuse it.

    Raises what the server raises for a client that has gone, which is an `OSError`.
    """
    # Lambda has no gunicorn, and never gets here: its events have a length.
    from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]

    codings = {one.strip().lower() for one in environ.get("HTTP_TRANSFER_ENCODING", "").split(",")}
    if codings - {"chunked", "identity", ""}:
        return b"", HTTPReason.TRANSFER_CODING_UNKNOWN
    is_held = peer_certificate(environ.get("gunicorn.socket")) is not None
    held, count = bytearray(), 0
    try:
        while count < _CAP:
            piece = environ["wsgi.input"].read(min(_PIECE_BYTES, _CAP - count))
            if not piece:
                break
            count += len(piece)
            if is_held:
                held += piece
    except ParseException:
        return b"", HTTPReason.BODY_CHUNKS_MALFORMED
    return bytes(held), None
