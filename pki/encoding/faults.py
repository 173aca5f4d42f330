"""Say which part of a CSR or certificate cannot be read, and how to make a right one.

The parts are looked at in the order of RFC 2986 4 and RFC 5280 4.1. Nothing here decides what is
taken: `pki.encoding.deviations` has that list. This is asked only for what was refused.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from cryptography import x509

from pki.encoding.deviations import (
    ATTRIBUTES_OF_CSR,
    EXTENSION_REQUEST,
    EXTENSIONS_OF_CERTIFICATE,
    NULL,
    OID,
    PRINTABLE_AS_SENT,
    PRINTABLE_STRING,
    SEQUENCE,
    SET,
    T61_STRING,
    UTF8_STRING,
    VERSION_OF_CERTIFICATE,
    reads_as_latin1,
)
from pki.encoding.nodes import Node, NotDER, children, whole

_INTEGER, _BIT_STRING, _BOOLEAN, _OCTET_STRING = 0x02, 0x03, 0x01, 0x04
_IA5_STRING, _UNIVERSAL_STRING, _BMP_STRING = 0x16, 0x1C, 0x1E
_VERSION_0: Final = b"\x02\x01\x00"
_IA5: Final = re.compile(rb"[\x00-\x7f]*")


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


def fault_of_csr(der: bytes) -> Fault | None:
    """Return the first part of a CSR that cannot be read, or None if none is found."""
    return _first(_csr_faults, der)


def fault_of_certificate(der: bytes) -> Fault | None:
    """Return the first part of a certificate that cannot be read, or None if none is found."""
    return _first(_certificate_faults, der)


def _first(faults: Callable[[Node], Iterator[Fault]], der: bytes) -> Fault | None:
    try:
        outer = whole(der)
    except NotDER as error:
        return Fault("structure", f"is not DER: {error}", _DER_ADVICE)
    try:
        return next(faults(outer), None)
    except NotDER as error:
        return Fault("structure", f"is not as wanted: {error}", _DER_ADVICE)


_DER_ADVICE: Final = "Encode it in DER (X.690), whole and with nothing after its end."


def _csr_faults(outer: Node) -> Iterator[Fault]:
    """Look at a CertificationRequest (RFC 2986 4.2)."""
    parts = children(outer, SEQUENCE)
    if len(parts) != 3:
        raise NotDER(f"it has {len(parts)} parts, not signed part, algorithm and signature")
    signed, algorithm, _ = parts
    fields = children(signed, SEQUENCE)
    if not fields or fields[0].tag != _INTEGER:
        yield Fault("version", "is missing", "Write INTEGER 0 (RFC 2986 4.1).")
    elif fields[0].encoded != _VERSION_0:
        version = int.from_bytes(fields[0].content[:4])
        yield Fault("version", f"is {version}", "Write INTEGER 0, the only version (RFC 2986 4.1).")
    if len(fields) < 3:
        raise NotDER("the signed part lacks the subject or the key")
    yield from _name_faults("subject", fields[1])
    yield from _key_faults(fields[2])
    yield from _attributes_faults(fields[3:])
    yield from _algorithm_faults("signature algorithm", algorithm)


def _certificate_faults(outer: Node) -> Iterator[Fault]:
    """Look at a Certificate (RFC 5280 4.1)."""
    parts = children(outer, SEQUENCE)
    if len(parts) != 3:
        raise NotDER(f"it has {len(parts)} parts, not signed part, algorithm and signature")
    signed, algorithm, _ = parts
    fields = children(signed, SEQUENCE)
    if fields and fields[0].tag == VERSION_OF_CERTIFICATE:
        (version,) = children(fields[0])[:1] or (None,)
        number = int.from_bytes(version.content[:4]) if version else -1
        if number not in (0, 1, 2):
            yield Fault("version", f"is {number + 1}", "Make it as version 3 (RFC 5280 4.1.2.1).")
        del fields[0]
    if len(fields) < 6:
        raise NotDER("the signed part lacks one of its fields")
    if fields[1].encoded != algorithm.encoded:
        yield Fault(
            "signature algorithm",
            "differs between the signed part and the outside",
            "Write the same identifier in both places (RFC 5280 4.1.1.2).",
        )
    yield from _algorithm_faults("signature algorithm", algorithm)
    yield from _name_faults("issuer", fields[2])
    yield from _name_faults("subject", fields[4])
    yield from _key_faults(fields[5])
    for field in fields[6:]:
        if field.tag == EXTENSIONS_OF_CERTIFICATE:
            for extensions in children(field):
                yield from _extensions_faults("extensions", extensions)


def _name_faults(part: str, name: Node) -> Iterator[Fault]:
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
        yield Fault(part, "has an attribute that is not a type and a value", _DER_ADVICE)
        return
    kind, value = fields
    found = _string_fault(value)
    if found:
        where = f"has the {_name_of(kind)} {found}"
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


def _key_faults(key: Node) -> Iterator[Fault]:
    """Look at a SubjectPublicKeyInfo (RFC 5280 4.1.2.7)."""
    parts = children(key, SEQUENCE)
    if [part.tag for part in parts] != [SEQUENCE, _BIT_STRING]:
        yield Fault("public key", "is not an algorithm and a bit string", "Use a P-256 key.")


def _algorithm_faults(part: str, algorithm: Node) -> Iterator[Fault]:
    """Look at an AlgorithmIdentifier (RFC 5280 4.1.1.2)."""
    fields = children(algorithm, SEQUENCE)
    if not fields or fields[0].tag != OID:
        yield Fault(part, "has no object identifier", "Sign with ecdsa-with-SHA256.")
    elif len(fields) > 1 and fields[1].encoded != NULL and fields[1].tag != SEQUENCE:
        yield Fault(part, "has parameters of an unknown kind", "Sign with ecdsa-with-SHA256.")


def _attributes_faults(fields: list[Node]) -> Iterator[Fault]:
    """Look at what follows the key in a CSR, which is the attributes (RFC 2986 4.1)."""
    if not fields:
        yield Fault(
            "attributes field",
            "is missing",
            "Write it even if it is empty (A0 00), because RFC 2986 4.1 does not make it optional.",
        )
        return
    if len(fields) > 1 or fields[0].tag != ATTRIBUTES_OF_CSR:
        yield Fault("attributes field", "is followed by other data", "Leave that out.")
        return
    attributes = children(fields[0])
    encodings = [attribute.encoded for attribute in attributes]
    if encodings != sorted(encodings):
        yield Fault(
            "attributes",
            "are not in the order of a DER SET OF",
            "Sort them by their encoding (X.690 11.6), or send extensionRequest alone.",
        )
    for attribute in attributes:
        yield from _attribute_faults(attribute)


def _attribute_faults(attribute: Node) -> Iterator[Fault]:
    parts = children(attribute, SEQUENCE)
    if len(parts) != 2 or parts[0].tag != OID or parts[1].tag != SET:
        yield Fault("attributes", "hold one that is not a type and a SET of values", _DER_ADVICE)
        return
    kind, values = parts
    name = "extensionRequest" if kind.encoded == EXTENSION_REQUEST else _name_of(kind)
    count = len(children(values))
    if count == 0:
        yield Fault(
            f"attribute {name}", "is empty", "Leave the whole attribute out, or give it one value."
        )
    elif count > 1:
        yield Fault(f"attribute {name}", f"has {count} values", "Give it one value.")
    elif kind.encoded == EXTENSION_REQUEST:
        yield from _extensions_faults("requested extensions", children(values)[0])


def _extensions_faults(part: str, extensions: Node) -> Iterator[Fault]:
    """Look at Extensions (RFC 5280 4.1)."""
    if extensions.tag != SEQUENCE:
        yield Fault(part, "are not a SEQUENCE", "Encode them as RFC 5280 4.1 says.")
        return
    seen = set()
    for extension in children(extensions):
        parts = children(extension, SEQUENCE)
        tags = [each.tag for each in parts]
        if tags not in ([OID, _OCTET_STRING], [OID, _BOOLEAN, _OCTET_STRING]):
            yield Fault(part, "hold one that is not a type and a value", _DER_ADVICE)
            continue
        name = _name_of(parts[0])
        if parts[0].encoded in seen:
            yield Fault(part, f"have {name} twice", "Send each extension once (RFC 5280 4.2).")
        seen.add(parts[0].encoded)
        if len(parts) == 3 and parts[1].content not in (b"\x00", b"\xff"):
            yield Fault(part, f"have {name} with a BOOLEAN that is not DER's", "Write TRUE as FF.")


def _name_of(kind: Node) -> str:
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
