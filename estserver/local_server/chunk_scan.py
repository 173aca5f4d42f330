"""Find where a body in chunks ends, while it arrives (RFC 9112 7.1).

Nothing is decoded or judged here. Gunicorn's parser does both once the body is complete, so what
looks malformed counts as complete.
"""

_SIZE_DIGITS = frozenset(b"0123456789abcdefABCDEF")
_MOST_DIGITS = 15


class ChunkScan:
    """How far a body has come. `look` gets the whole of it each time, and goes on from there."""

    def __init__(self, longest_line: int) -> None:
        """Take the length in bytes at which a line without an end counts as malformed."""
        self._longest_line = longest_line
        self.boundary = 0
        """Where the first chunk begins that is not complete."""
        self.decoded = 0
        """How many bytes of content have come."""
        self._whole = 0  # the content of complete chunks
        self._is_in_trailers = False
        self._searched = 0

    def look(self, body: bytearray) -> int | None:
        """Return the length of the body in bytes, or ``None`` if more of it has to come.

        A body that no parser takes ends with the last byte that came.
        """
        while True:
            end = body.find(b"\r\n", max(self.boundary, self._searched - 1))
            if end < 0:
                self._searched = len(body)
                return len(body) if len(body) - self.boundary > self._longest_line else None
            line, start = bytes(body[self.boundary : end]), end + 2
            if self._is_in_trailers:
                self.boundary = start
                if not line:
                    return start
                continue
            size = _size_in(line)
            if size is None:
                return len(body)
            if size == 0:
                self._is_in_trailers, self.boundary = True, start
                continue
            after = start + size
            self.decoded = self._whole + min(size, len(body) - start)
            if len(body) < after + 2:
                self._searched = self.boundary
                return None
            if body[after : after + 2] != b"\r\n":
                return len(body)
            self.boundary, self._whole = after + 2, self._whole + size


def _size_in(line: bytes) -> int | None:
    digits = line.partition(b";")[0].rstrip(b" \t")
    is_number = 0 < len(digits) <= _MOST_DIGITS and _SIZE_DIGITS.issuperset(digits)
    return int(digits, 16) if is_number else None
