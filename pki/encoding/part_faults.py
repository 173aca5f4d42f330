"""Look at the parts that CSRs and certificates have in common: names, keys, extensions.

`pki.encoding.faults` asks these in the order in which the parts come.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cryptography import x509

from pki.encoding.deviations import (
    NULL,
    OID,
    PRINTABLE_AS_SENT,
    PRINTABLE_STRING,
    SEQUENCE,
    SET,
    T61_STRING,
    UTF8_STRING,
    reads_as_latin1,
)
from pki.encoding.nodes import Node, children

_BIT_STRING, _BOOLEAN, _OCTET_STRING = 0x03, 0x01, 0x04
_IA5_STRING, _UNIVERSAL_STRING, _BMP_STRING = 0x16, 0x1C, 0x1E
_IA5: Final = re.compile(rb"[\x00-\x7f]*")

DER_ADVICE: Final = "Encode it in DER (X.690), whole and with nothing after its end."


@dataclass(frozen=True, slots=True)
class Fault:
    """The first part at fault."""

    part: str
    """The field, for a list of files and certificates: ``subject``."""
    found: str
    """What is wrong with it, as the rest of a sentence about the part: ``is missing``."""
    advice: str
    """One sentence on how to make a right one."""
    joined_attributes: int = 0
    """How many attributes a part of the subject joins, if that is what cannot be read."""


def name_faults(part: str, name: Node) -> Iterator[Fault]:
    """Look at a Name (RFC 5280 4.1.2.4)."""
    for rdn in children(name, SEQUENCE):
        attributes = children(rdn, SET)
        encodings = [attribute.encoded for attribute in attributes]
        if not attributes:
            yield Fault(part, "has a part without an attribute", "Leave the empty SET out.")
        elif encodings != sorted(encodings):
            yield Fault(
                part,
                f"has a part that joins {len(attributes)} attributes with '+', not in DER's order",
                "Send each attribute as a part of its own.",
                joined_attributes=len(attributes),
            )
        for attribute in attributes:
            yield from _string_faults(part, attribute)


def _string_faults(part: str, attribute: Node) -> Iterator[Fault]:
    """Look at an AttributeTypeAndValue."""
    fields = children(attribute, SEQUENCE)
    if len(fields) != 2 or fields[0].tag != OID:
        yield Fault(part, "has an attribute that is not a type and a value", DER_ADVICE)
        return
    kind, value = fields
    found = _string_fault(value)
    if found:
        where = f"has the {name_of(kind)} {found}"
        yield Fault(part, where, "Write the attribute as a UTF8String.")


def _string_fault(value: Node) -> str:
    """Return what is wrong with a string of a name; "" for a right one, or one that is taken."""
    content = value.content
    if value.tag == PRINTABLE_STRING and not PRINTABLE_AS_SENT.fullmatch(content):
        odd = next(chr(byte) for byte in content if not PRINTABLE_AS_SENT.fullmatch(bytes([byte])))
        return f"as a PrintableString with the character {odd!a}"
    if value.tag == UTF8_STRING and not _is_utf8(content):
        return "as a UTF8String that is not UTF-8"
    if value.tag == T61_STRING and not (_is_utf8(content) or reads_as_latin1(content)):
        return "as a T61String with invisible characters"
    if value.tag == _IA5_STRING and not _IA5.fullmatch(content):
        return "as an IA5String with characters outside ASCII"
    if value.tag in (_BMP_STRING, _UNIVERSAL_STRING):
        return "" if _is_wide(value) else "as a string of an odd length"
    return ""


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_wide(value: Node) -> bool:
    try:
        value.content.decode("utf-16-be" if value.tag == _BMP_STRING else "utf-32-be")
    except UnicodeDecodeError:
        return False
    return True


def key_faults(key: Node) -> Iterator[Fault]:
    """Look at a SubjectPublicKeyInfo (RFC 5280 4.1.2.7)."""
    parts = children(key, SEQUENCE)
    if [part.tag for part in parts] != [SEQUENCE, _BIT_STRING]:
        yield Fault("public key", "is not an algorithm and a bit string", "Use a P-256 key.")


def algorithm_faults(part: str, algorithm: Node) -> Iterator[Fault]:
    """Look at an AlgorithmIdentifier (RFC 5280 4.1.1.2)."""
    fields = children(algorithm, SEQUENCE)
    if not fields or fields[0].tag != OID:
        yield Fault(part, "has no object identifier", "Sign with ecdsa-with-SHA256.")
    elif len(fields) > 1 and fields[1].encoded != NULL and fields[1].tag != SEQUENCE:
        yield Fault(part, "has parameters of an unknown kind", "Sign with ecdsa-with-SHA256.")


def extensions_faults(part: str, extensions: Node) -> Iterator[Fault]:
    """Look at Extensions (RFC 5280 4.1)."""
    if extensions.tag != SEQUENCE:
        yield Fault(part, "are not a SEQUENCE", "Encode them as RFC 5280 4.1 says.")
        return
    seen = set()
    for extension in children(extensions):
        parts = children(extension, SEQUENCE)
        tags = [each.tag for each in parts]
        if tags not in ([OID, _OCTET_STRING], [OID, _BOOLEAN, _OCTET_STRING]):
            yield Fault(part, "hold one that is not a type and a value", DER_ADVICE)
            continue
        name = name_of(parts[0])
        if parts[0].encoded in seen:
            yield Fault(part, f"have {name} twice", "Send each extension once (RFC 5280 4.2).")
        seen.add(parts[0].encoded)
        if len(parts) == 3 and parts[1].content not in (b"\x00", b"\xff"):
            yield Fault(part, f"have {name} with a BOOLEAN that is not DER's", "Write TRUE as FF.")


def name_of(kind: Node) -> str:
    """Return the name of an object identifier, or its numbers."""
    try:
        numbers = _numbers(kind.content)
        oid = x509.ObjectIdentifier(numbers)
    except ValueError:
        return "attribute of an unreadable type"
    name = oid._name  # cryptography has no public table of names
    return numbers[:64] if name == "Unknown OID" else name


def _numbers(content: bytes) -> str:
    """Return an object identifier with dots (X.690 8.19)."""
    arcs, arc = [], 0
    for byte in content[:64]:
        arc = arc << 7 | byte & 0x7F
        if not byte & 0x80:
            arcs.append(arc)
            arc = 0
    if not arcs:
        raise ValueError("there is no arc")
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, [first, arcs[0] - 40 * first, *arcs[1:]]))
