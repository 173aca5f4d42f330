r"""Rewrite the deviations from DER and X.509 that are taken, so that they can be parsed.

``cryptography`` parses only what the standards allow. Devices, factories and CAs in the field
deviate, and certificates that they have signed cannot be replaced. No other deviation is taken:

* NULL parameters in an ECDSA signature identifier (RFC 5758 3.2 forbids them; Java 8 to 15), if
  the identifiers inside and outside of a certificate's signed part have the same bytes;
* ``_``, ``!``, ``&``, ``#``, ``@`` and ``*`` in a PrintableString (X.680 41.4 has none of them);
* a T61String that reads as ISO 8859-1 (Latin-1), as OpenSSL reads it;
* ``critical FALSE`` of an extension written out (X.690 11.5: a default is left out).

Only these nodes change. The result is for parsing alone: signatures, digests and what is passed on
are over the bytes as they came (`pki.encoding.as_sent`).
"""

import re
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from pki.encoding.der import tlv
from pki.encoding.nodes import Node, NotDER, children, whole

SEQUENCE, SET, OID, BOOLEAN = 0x30, 0x31, 0x06, 0x01
PRINTABLE_STRING, UTF8_STRING, T61_STRING = 0x13, 0x0C, 0x14
VERSION_OF_CERTIFICATE, EXTENSIONS_OF_CERTIFICATE, ATTRIBUTES_OF_CSR = 0xA0, 0xA3, 0xA0

EXTENSION_REQUEST: Final = bytes.fromhex("06092a864886f70d01090e")  # 1.2.840.113549.1.9.14
NULL: Final = b"\x05\x00"
CRITICAL_FALSE: Final = b"\x01\x01\x00"
# ecdsa-with-SHA224, -SHA256, -SHA384 and -SHA512 (RFC 5758 3.2).
_ECDSA_WITH_SHA2: Final = frozenset(bytes.fromhex(f"06082a8648ce3d04030{n}") for n in range(1, 5))

PRINTABLE_AS_SENT: Final = re.compile(rb"[A-Za-z0-9 '()+,\-./:=?_!&#@*]*")
_PRINTABLE: Final = re.compile(rb"[A-Za-z0-9 '()+,\-./:=?]*")  # X.680 41.4

Change: TypeAlias = Callable[[Node], bytes]


def normal_certificate(der: bytes) -> bytes:
    """Return a certificate with its deviations rewritten, or the same bytes if it has none.

    Raises ``NotDER`` for bytes that are not built as a certificate is (RFC 5280 4.1).
    """
    outer = whole(der)
    signed, algorithm, signature = _exactly(children(outer, SEQUENCE), 3)
    fields = children(signed, SEQUENCE)
    first = 1 if fields and fields[0].tag == VERSION_OF_CERTIFICATE else 0
    _, inner_algorithm, issuer, _, subject, _, *more = _at_least(fields[first:], 6)
    changes: dict[int, bytes] = {
        issuer.start: _normal_name(issuer),
        subject.start: _normal_name(subject),
    }
    outside = algorithm.encoded
    if inner_algorithm.encoded == algorithm.encoded:
        outside = changes[inner_algorithm.start] = _normal_algorithm(algorithm)
    for field in more:
        if field.tag == EXTENSIONS_OF_CERTIFICATE:
            (extensions,) = _exactly(children(field), 1)
            changes[field.start] = _rebuilt(field, [_normal_extensions(extensions)])
    inside = _rebuilt(signed, [changes.get(field.start, field.encoded) for field in fields])
    return _rebuilt(outer, [inside, outside, signature.encoded])


def normal_csr(der: bytes) -> bytes:
    """Return a CSR with its deviations rewritten, or the same bytes if it has none.

    Raises ``NotDER`` for bytes that are not built as a CSR is (RFC 2986 4).
    """
    outer = whole(der)
    signed, algorithm, signature = _exactly(children(outer, SEQUENCE), 3)
    version, subject, key, *more = _at_least(children(signed, SEQUENCE), 3)
    inside = [version.encoded, _normal_name(subject), key.encoded]
    for field in more:
        if field.tag == ATTRIBUTES_OF_CSR:
            inside.append(_normal_set(field, _normal_csr_attribute))
        else:
            inside.append(field.encoded)
    return _rebuilt(
        outer, [_rebuilt(signed, inside), _normal_algorithm(algorithm), signature.encoded]
    )


def _normal_algorithm(algorithm: Node) -> bytes:
    """Return an AlgorithmIdentifier (RFC 5280 4.1.1.2), without NULL if ECDSA has one."""
    match [part.encoded for part in children(algorithm, SEQUENCE)]:
        case [oid, parameters] if oid in _ECDSA_WITH_SHA2 and parameters == NULL:
            return _rebuilt(algorithm, [oid])
    return algorithm.encoded


def _normal_name(name: Node) -> bytes:
    rdns = children(name, SEQUENCE)
    return _rebuilt(name, [_normal_set(rdn, _normal_name_attribute, SET) for rdn in rdns])


def _normal_name_attribute(attribute: Node) -> bytes:
    """Return an AttributeTypeAndValue (RFC 5280 4.1.2.4), whose string is one that can be read."""
    kind, value = _exactly(children(attribute, SEQUENCE), 2)
    return _rebuilt(attribute, [kind.encoded, _normal_string(value)])


def _normal_string(value: Node) -> bytes:
    content = value.content
    if value.tag == PRINTABLE_STRING and not _PRINTABLE.fullmatch(content):
        if PRINTABLE_AS_SENT.fullmatch(content):
            return tlv(bytes([UTF8_STRING]), content)
    elif value.tag == T61_STRING and reads_as_latin1(content):
        return tlv(bytes([UTF8_STRING]), content.decode("latin-1").encode())
    return value.encoded


def reads_as_latin1(content: bytes) -> bool:
    """Return whether a T61String's bytes are visible characters of ISO 8859-1."""
    return content.decode("latin-1").replace("\xa0", " ").replace("\xad", "-").isprintable()


def _normal_csr_attribute(attribute: Node) -> bytes:
    """Return an attribute of a CSR (RFC 2986 4.1). Only an extensionRequest is looked into."""
    kind, values = _exactly(children(attribute, SEQUENCE), 2)
    if kind.encoded != EXTENSION_REQUEST:
        return attribute.encoded
    requested = [_normal_extensions(each) for each in children(values, SET)]
    return _rebuilt(attribute, [kind.encoded, _rebuilt(values, requested)])


def _normal_extensions(extensions: Node) -> bytes:
    return _rebuilt(
        extensions, [_normal_extension(each) for each in children(extensions, SEQUENCE)]
    )


def _normal_extension(extension: Node) -> bytes:
    """Return an Extension (RFC 5280 4.1) without ``critical FALSE``."""
    parts = [part.encoded for part in children(extension, SEQUENCE)]
    if len(parts) == 3 and parts[1] == CRITICAL_FALSE:
        del parts[1]
    return _rebuilt(extension, parts)


def _normal_set(parent: Node, change: Change, tag: int | None = None) -> bytes:
    """Return a SET OF whose members are rewritten. It stays sorted if it was (X.690 11.6)."""
    members = children(parent, tag)
    before = [member.encoded for member in members]
    after = [change(member) for member in members]
    if after != before and before == sorted(before):
        after.sort()
    return _rebuilt(parent, after)


def _rebuilt(node: Node, parts: Sequence[bytes]) -> bytes:
    """Return ``node`` with other contents; its very bytes if the contents are the same."""
    content = b"".join(parts)
    return node.encoded if content == node.content else tlv(bytes([node.tag]), content)


def _exactly(nodes: list[Node], count: int) -> list[Node]:
    if len(nodes) != count:
        raise NotDER(f"there are {len(nodes)} parts, not {count}")
    return nodes


def _at_least(nodes: list[Node], count: int) -> list[Node]:
    if len(nodes) < count:
        raise NotDER(f"there are {len(nodes)} parts, fewer than {count}")
    return nodes
