"""The requests of one connection, put together from what has come: whole ones only.

Gunicorn's parser reads and refuses. It never waits here, because it gets a head, and a body, when
all of it has come.
"""

from http import HTTPStatus
from typing import Any

from gunicorn.http.body import ChunkedReader  # type: ignore[import-untyped]
from gunicorn.http.parser import RequestParser  # type: ignore[import-untyped]

from estserver.est.chunked import MAX_BODY_BYTES
from estserver.local_server.chunk_scan import ChunkScan
from estserver.local_server.reply import ClientGone

HEAD_BYTES = 16 * 1024
"""The size at which a head without an end is refused."""
CHUNKED_BYTES = 8 * MAX_BODY_BYTES
"""The size at which a body in chunks is refused, whatever it contains."""
STRANGERS_BYTES = 8 * 1024
"""How much of a body in chunks is held for a client without a certificate, to judge its framing."""
_END_OF_HEAD = b"\r\n\r\n"
_NO_MORE_CHUNKS = b"0\r\n\r\n"


class TooLarge(Exception):
    """A head or a body is larger than any that is read."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class _Source:
    """What gunicorn's parser reads: bytes that are here, and none that have to be waited for."""

    def __init__(self, head: bytes) -> None:
        self.held = bytearray(head)
        self.is_whole = False

    def recv(self, size: int) -> bytes:
        """Return at most ``size`` bytes. Raises ``ClientGone`` at the end of half a body."""
        if not self.held and not self.is_whole:
            raise ClientGone("The body is not here.")
        data = bytes(self.held[:size])
        del self.held[:size]
        return data


class Incoming:
    """What a client has sent and nobody has answered."""

    def __init__(self, cfg: Any) -> None:
        self._cfg = cfg
        self._held = bytearray()
        self._request: Any = None
        self._source = _Source(b"")
        self._scan = ChunkScan(cfg.limit_request_field_size)
        self.is_whole = True
        """Whether the request's body was there to its end, so that another may follow it."""

    @property
    def has_begun(self) -> bool:
        """Whether a part of a request is here, or more than the one that is answered."""
        return bool(self._held) or self._request is not None

    @property
    def has_more(self) -> bool:
        """Whether bytes are here that belong to no answered request."""
        return bool(self._held)

    def receive(self, data: bytes) -> None:
        """Take bytes that the client sent."""
        self._held += data

    def next_request(self, peer: tuple[str, int], *, is_known: bool) -> Any:
        """Return gunicorn's request when it is complete, or ``None`` if more has to come.

        The body of a client without a certificate (``is_known`` is false) is not awaited: no
        operation with a body is open to it (threat T51). Only the framing of chunks is looked at.

        Raises:
            TooLarge: the head or the body is larger than what is read.
            gunicorn.http.errors.ParseException: the head is not one.
        """
        if self._request is None and not self._read_head(peer):
            return None
        body = self._body(is_known=is_known)
        if body is None:
            return None
        self._source.held += body
        self._source.is_whole = self.is_whole
        return self._request

    def wants_continue(self) -> bool:
        """Return, once, whether the client waits for "100 Continue" (RFC 9110 10.1.1)."""
        request = self._request
        if request is None or not request._expected_100_continue:
            return False
        request._expected_100_continue = False  # gunicorn would send it, too
        return bool(self._source.held or not self._source.is_whole) and not self._held

    def begin_next(self) -> bool:
        """Forget the request that was answered. Return whether another has begun."""
        self._request = None
        self._scan = ChunkScan(self._cfg.limit_request_field_size)
        return bool(self._held)

    def _read_head(self, peer: tuple[str, int]) -> bool:
        end = self._held.find(_END_OF_HEAD)
        if end < 0:
            if len(self._held) > HEAD_BYTES:
                has_line = b"\r\n" in self._held[: self._cfg.limit_request_line + 2]
                raise TooLarge(
                    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
                    if has_line
                    else HTTPStatus.REQUEST_URI_TOO_LONG
                )
            return False
        length = end + len(_END_OF_HEAD)
        self._source = _Source(bytes(self._held[:length]))
        del self._held[:length]
        self.is_whole = False
        self._request = next(RequestParser(self._cfg, self._source, peer))
        return True

    def _body(self, *, is_known: bool) -> bytes | None:
        """Take the body out of what is held: as much as the application may read."""
        reader = self._request.body.reader
        if isinstance(reader, ChunkedReader):
            return self._chunks(is_known=is_known)
        if not is_known and reader.length:
            return b""
        wanted = min(reader.length, MAX_BODY_BYTES + 1)
        if len(self._held) < wanted:
            return None
        self.is_whole = wanted == reader.length
        return self._take(wanted)

    def _chunks(self, *, is_known: bool) -> bytes | None:
        length = self._scan.look(self._held)
        if length is not None:
            self.is_whole = True
            return self._take(length)
        if not is_known and len(self._held) > STRANGERS_BYTES:
            return self._take(self._scan.boundary) + _NO_MORE_CHUNKS
        if self._scan.decoded > MAX_BODY_BYTES:
            return self._take(len(self._held))
        if len(self._held) > CHUNKED_BYTES:
            raise TooLarge(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return None

    def _take(self, length: int) -> bytes:
        taken = bytes(self._held[:length])
        del self._held[:length]
        return taken
