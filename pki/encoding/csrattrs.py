"""Encode CsrAttrs in DER (RFC 7030 4.5.2 as corrected by RFC 8951 4).

A profile has its CSR attributes as a list of lines::

    ["1.2.840.10045.4.3.2",                          an OID: ecdsa-with-SHA256
     "1.2.840.10045.2.1=1.2.840.10045.3.1.7",        an attribute and an OID: P-256 keys
     "1.2.840.113549.1.1.1=2048"]                    an attribute and a number: RSA of 2048 bits
"""

from collections.abc import Sequence

from pki.encoding.der import INTEGER, OBJECT_IDENTIFIER, SEQUENCE, SET, tlv

MAX_CHARACTERS = 4096
"""The limit for all lines together. Devices have small buffers."""


def encode_csr_attributes(lines: Sequence[str]) -> bytes:
    """Return ``CsrAttrs ::= SEQUENCE OF AttrOrOID`` in DER, or no bytes for no lines.

    Raises ``ValueError`` for a line that has none of the forms above, or for too many lines.
    """
    if not lines:
        return b""
    if sum(map(len, lines)) > MAX_CHARACTERS:
        raise ValueError(f"The lines have more than {MAX_CHARACTERS} characters together.")
    return tlv(SEQUENCE, b"".join(map(_encode_line, lines)))


def _encode_line(line: str) -> bytes:
    oid, is_attribute, value = line.partition("=")
    if not is_attribute:
        return _encode_oid(oid)
    encoded = _encode_oid(value) if "." in value else _encode_integer(value)
    return tlv(SEQUENCE, _encode_oid(oid) + tlv(SET, encoded))


def _encode_oid(text: str) -> bytes:
    """Encode base-128 arcs, the first two in one (X.690 8.19)."""
    try:
        first, second, *rest = (int(arc) for arc in text.strip().split("."))
    except ValueError as error:
        raise ValueError(
            f"{text!r} is not an object identifier such as 1.2.840.10045.4.3.2."
        ) from error
    if not (0 <= first <= 2 and second >= 0 and all(arc >= 0 for arc in rest)):
        raise ValueError(f"{text!r} is not an object identifier such as 1.2.840.10045.4.3.2.")
    if first < 2 and second > 39:
        raise ValueError(f"{text!r} is not an object identifier. Its second arc is above 39.")
    return tlv(OBJECT_IDENTIFIER, b"".join(map(_base128, (40 * first + second, *rest))))


def _base128(arc: int) -> bytes:
    digits = [arc & 0x7F]
    while arc := arc >> 7:
        digits.append(arc & 0x7F | 0x80)
    return bytes(reversed(digits))


def _encode_integer(text: str) -> bytes:
    try:
        number = int(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is neither an object identifier nor a number.") from error
    if number < 0:
        raise ValueError(f"{text!r} is below zero.")
    return tlv(INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))
