"""Tell what a DER structure is by its outermost parts, without decoding them.

A private key is recognised before anything of it is read, so that a tool for operators can refuse
it and keep nothing.
"""

import base64
import binascii
from enum import Enum
from typing import Final

from pki.encoding.nodes import Node, NotDER, children, whole
from pki.encoding.pem import has_private_key, unwrapped

_WHITE_SPACE: Final = b" \t\r\n"

_INTEGER, _BIT_STRING, _SEQUENCE, _CONTEXT_0 = 0x02, 0x03, 0x30, 0xA0


class Shape(Enum):
    """What a structure looks like. Whether it can be read is another question."""

    CERTIFICATE = "certificate"
    """RFC 5280 4.1."""
    CSR = "certificate request"
    """PKCS #10, RFC 2986 4."""
    PUBLIC_KEY = "public key"
    """SubjectPublicKeyInfo, RFC 5280 4.1, or PKCS #1's RSAPublicKey, RFC 8017 A.1.1."""
    PKCS7 = "PKCS #7"
    """ContentInfo, RFC 5652 3."""
    PRIVATE_KEY = "private key"
    """PKCS #8 and its encrypted form (RFC 5958), SEC 1 (RFC 5915), PKCS #1 (RFC 8017 A.1.2), and
    PKCS #12 (RFC 7292), which holds one."""
    OTHER = "something else"


def holds_private_key(content: bytes) -> bool:
    """Return whether a private key is in ``content``: in PEM, DER or base64 of either.

    It is told by its first line or its outermost structure. Nothing of the key is read.
    """
    text = unwrapped(content)
    if has_private_key(text):
        return True
    der = der_in(text)
    return der is not None and shape_of(der) is Shape.PRIVATE_KEY


def der_in(content: bytes) -> bytes | None:
    """Return DER that was given as it is or as base64; ``None`` if it is neither."""
    if content.startswith(b"\x30"):
        return content
    try:
        decoded = base64.b64decode(content.translate(None, _WHITE_SPACE), validate=True)
    except binascii.Error:
        return None
    return decoded if decoded.startswith(b"\x30") else None


def shape_of(der: bytes) -> Shape:
    """Return what ``der`` looks like. Never raises."""
    try:
        outer = whole(der)
        return _shape(children(outer, _SEQUENCE))
    except NotDER:
        return Shape.OTHER


def _shape(parts: list[Node]) -> Shape:
    match [part.tag for part in parts]:
        case [2, 2]:
            return Shape.PUBLIC_KEY  # of PKCS #1: modulus and exponent
        case [2, _, *_] | [48, 4]:
            # Every form of a private key begins with its version, but for the encrypted one.
            return Shape.PRIVATE_KEY
        case [6, 160]:
            return Shape.PKCS7
        case [48, 3]:
            return Shape.PUBLIC_KEY
        case [48, 48, 3]:
            return _signed_shape(children(parts[0]))
    return Shape.OTHER


def _signed_shape(fields: list[Node]) -> Shape:
    """Return which of the structures with a signature has these fields in its signed part."""
    tags = [field.tag for field in fields]
    if tags[:3] == [_INTEGER, _SEQUENCE, _SEQUENCE] and len(tags) <= 4:
        key = [part.tag for part in children(fields[2])]
        return Shape.CSR if key == [_SEQUENCE, _BIT_STRING] else Shape.OTHER
    if tags[:1] == [_CONTEXT_0] or len(tags) >= 6:
        return Shape.CERTIFICATE
    return Shape.OTHER
