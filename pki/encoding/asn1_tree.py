"""The tree of values in DER (X.690), line by line, for a person who wants to see every byte.

The bytes come from clients, so depth, lines and the length of a line are bounded.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cryptography import x509

from pki.encoding.nodes import Node, NotDER, children, whole

MOST_LINES = 1500
MOST_DEPTH = 24
_MOST_HEX = 32  # bytes of a value that are written out

_CONSTRUCTED: Final = 0x20
_CLASSES: Final = ("", "APPLICATION", "", "PRIVATE")
_NAMES: Final = {
    0x01: "BOOLEAN",
    0x02: "INTEGER",
    0x03: "BIT STRING",
    0x04: "OCTET STRING",
    0x05: "NULL",
    0x06: "OBJECT IDENTIFIER",
    0x0A: "ENUMERATED",
    0x0C: "UTF8String",
    0x12: "NumericString",
    0x13: "PrintableString",
    0x14: "T61String",
    0x16: "IA5String",
    0x17: "UTCTime",
    0x18: "GeneralizedTime",
    0x1A: "VisibleString",
    0x1C: "UniversalString",
    0x1E: "BMPString",
    0x30: "SEQUENCE",
    0x31: "SET",
}
_TEXTS: Final = {0x0C: "utf-8", 0x12: "ascii", 0x13: "ascii", 0x14: "latin-1", 0x16: "ascii"} | {
    0x17: "ascii",
    0x18: "ascii",
    0x1A: "ascii",
    0x1C: "utf-32-be",
    0x1E: "utf-16-be",
}


@dataclass(frozen=True, slots=True)
class ASN1Line:
    """One value: how deep it is, where it begins, how long its contents are, and what it says."""

    depth: int
    offset: int
    length: int
    name: str
    value: str


def asn1_lines(der: bytes) -> list[ASN1Line]:
    """Return the values in ``der``, in their order. Raises ``NotDER``."""
    found: list[ASN1Line] = []
    for line in _lines(whole(der), 0):
        found.append(line)
        if len(found) == MOST_LINES:
            break
    return found


def _lines(node: Node, depth: int, *, is_wrapped: bool = False) -> Iterator[ASN1Line]:
    inside = _inside(node, is_wrapped=is_wrapped) if depth < MOST_DEPTH else []
    yield ASN1Line(
        depth,
        node.start,
        len(node.content),
        _name(node.tag),
        "" if inside or node.tag & _CONSTRUCTED else _value(node),
    )
    for child in inside:
        yield from _lines(child, depth + 1, is_wrapped=not node.tag & _CONSTRUCTED)


def _inside(node: Node, *, is_wrapped: bool) -> list[Node]:
    """Return the values inside: of a constructed one, or of DER that a string wraps.

    An OCTET STRING wraps an extension's value, and a BIT STRING a key or a signature.
    """
    if node.tag & _CONSTRUCTED:
        return children(node)
    wrapped = {0x04: node.content, 0x03: node.content[1:]}.get(node.tag, b"")
    start = node.end - len(wrapped)
    try:
        inner = whole(wrapped)
        if inner.tag & _CONSTRUCTED:
            children(inner)
    except NotDER:
        return []
    # In a string inside of a string, or in a BIT STRING, random bytes may look like a short value.
    is_certain = inner.tag & _CONSTRUCTED or (node.tag == 0x04 and not is_wrapped)
    if inner.tag not in _NAMES or not is_certain:
        return []
    return [Node(node.data, inner.tag, start, start + inner.content_start, node.end)]


def _name(tag: int) -> str:
    if tag in _NAMES:
        return _NAMES[tag]
    number, kind = tag & 0x1F, tag >> 6
    return f"[{_CLASSES[kind]} {number}]".replace("[ ", "[") if kind else f"[UNIVERSAL {number}]"


def _value(node: Node) -> str:
    content = node.content
    if node.tag == 0x06:
        return _oid(node)
    if node.tag == 0x01:
        return "FALSE" if content == b"\0" else "TRUE"
    if node.tag in (0x02, 0x0A) and len(content) <= 8:
        return str(int.from_bytes(content, signed=True))
    if node.tag in _TEXTS:
        return content.decode(_TEXTS[node.tag], "backslashreplace")[:200]
    more = "…" if len(content) > _MOST_HEX else ""
    return f"{content[:_MOST_HEX].hex(' ')}{more}"


def _oid(node: Node) -> str:
    numbers: list[int] = []
    value = 0
    for byte in node.content[:64]:
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            numbers.append(value)
            value = 0
    if not numbers:
        return node.content.hex(" ")
    first = min(numbers[0] // 40, 2)
    dotted = ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))
    name = x509.ObjectIdentifier(dotted)._name if len(numbers) > 1 else "Unknown OID"
    return dotted if name == "Unknown OID" else f"{dotted} ({name})"
