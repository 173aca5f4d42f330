"""Find the parts of a DER structure without decoding them (X.690).

Only what a caller steps into is looked at, so nothing here goes deeper than the caller does, and
the work is bounded by the number of bytes. `pki.encoding.der` writes what this module reads.
"""

from dataclasses import dataclass

MAX_BYTES = 64 * 1024
"""No certificate or CSR that this server reads part by part is larger."""
_MAX_LENGTH_BYTES = 4


class NotDER(ValueError):
    """The bytes are not DER at this place, or not the structure that the caller wants there."""


@dataclass(frozen=True, slots=True)
class Node:
    """One value: where it begins, where its contents begin, and where it ends."""

    data: bytes
    tag: int
    start: int
    content_start: int
    end: int

    @property
    def encoded(self) -> bytes:
        """Tag, length and contents, as they came."""
        return self.data[self.start : self.end]

    @property
    def content(self) -> bytes:
        """The contents, as they came."""
        return self.data[self.content_start : self.end]


def whole(data: bytes) -> Node:
    """Return the one value that ``data`` holds. Raises ``NotDER``."""
    if len(data) > MAX_BYTES:
        raise NotDER(f"there are {len(data)} bytes, and at most {MAX_BYTES} are read")
    node = _node_at(data, 0, len(data))
    if node.end != len(data):
        raise NotDER("there are bytes after the end")
    return node


def children(parent: Node, tag: int | None = None) -> list[Node]:
    """Return the values inside ``parent``, which has the tag ``tag`` if given. Raises ``NotDER``"""
    if tag is not None and parent.tag != tag:
        raise NotDER(f"the tag is {parent.tag:#04x}, not {tag:#04x}")
    found = []
    position = parent.content_start
    while position < parent.end:
        node = _node_at(parent.data, position, parent.end)
        found.append(node)
        position = node.end
    return found


def _node_at(data: bytes, start: int, end: int) -> Node:
    if end - start < 2:
        raise NotDER("it ends too early")
    tag, first = data[start], data[start + 1]
    if tag & 0x1F == 0x1F:
        raise NotDER("the tag has more than one byte")
    content_start = start + 2
    length = first
    if first >= 0x80:
        size = first - 0x80
        if not 1 <= size <= _MAX_LENGTH_BYTES or content_start + size > end:
            raise NotDER("the length is not one of DER")
        length = int.from_bytes(data[content_start : content_start + size])
        content_start += size
        if length < 0x80 or length < 1 << 8 * (size - 1):
            raise NotDER("the length has more bytes than it needs")
    if content_start + length > end:
        raise NotDER("a length is larger than what follows")
    return Node(data, tag, start, content_start, content_start + length)
