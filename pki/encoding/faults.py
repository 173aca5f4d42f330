"""Say which part of a CSR or certificate cannot be read, and how to make a right one.

The parts are looked at in the order of RFC 2986 4 and RFC 5280 4.1. Nothing here decides what is
taken: `pki.encoding.deviations` has that list. This is asked only for what was refused.
"""

from collections.abc import Callable, Iterator
from typing import Final

from pki.encoding.deviations import (
    ATTRIBUTES_OF_CSR,
    EXTENSION_REQUEST,
    EXTENSIONS_OF_CERTIFICATE,
    OID,
    SEQUENCE,
    SET,
    VERSION_OF_CERTIFICATE,
)
from pki.encoding.nodes import Node, NotDER, children, whole
from pki.encoding.part_faults import (
    DER_ADVICE,
    Fault,
    algorithm_faults,
    extensions_faults,
    key_faults,
    name_faults,
    name_of,
)

_INTEGER = 0x02
_VERSION_0: Final = b"\x02\x01\x00"


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
        return Fault("structure", f"is not DER: {error}", DER_ADVICE)
    try:
        return next(faults(outer), None)
    except NotDER as error:
        return Fault("structure", f"is not as wanted: {error}", DER_ADVICE)


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
    yield from name_faults("subject", fields[1])
    yield from key_faults(fields[2])
    yield from _attributes_faults(fields[3:])
    yield from algorithm_faults("signature algorithm", algorithm)


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
    yield from algorithm_faults("signature algorithm", algorithm)
    yield from name_faults("issuer", fields[2])
    yield from name_faults("subject", fields[4])
    yield from key_faults(fields[5])
    for field in fields[6:]:
        if field.tag == EXTENSIONS_OF_CERTIFICATE:
            for extensions in children(field):
                yield from extensions_faults("extensions", extensions)


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
        yield Fault("attributes", "hold one that is not a type and a SET of values", DER_ADVICE)
        return
    kind, values = parts
    name = "extensionRequest" if kind.encoded == EXTENSION_REQUEST else name_of(kind)
    count = len(children(values))
    if count == 0:
        yield Fault(
            f"attribute {name}", "is empty", "Leave the whole attribute out, or give it one value."
        )
    elif count > 1:
        yield Fault(f"attribute {name}", f"has {count} values", "Give it one value.")
    elif kind.encoded == EXTENSION_REQUEST:
        yield from extensions_faults("requested extensions", children(values)[0])
