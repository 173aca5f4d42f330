"""Find elliptic-curve keys whose curve is spelled out instead of named.

RFC 5480 2.1.1 wants the curve's name. Explicit parameters can describe a curve that looks like
P-256 and lets anybody make signatures (CVE-2020-0601). ``cryptography`` takes those that are the
parameters of a curve that it knows, and then writes the name.
"""

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki.encoding.nodes import Node, children, whole

_ID_EC_PUBLIC_KEY = bytes.fromhex("06072a8648ce3d0201")  # RFC 5480 2.1.1
_OBJECT_IDENTIFIER, _VERSION = 0x06, 0xA0


def csr_has_explicit_curve(der: bytes) -> bool:
    """Return whether a CSR's EC key has explicit parameters. Raises ``NotDER``, a ValueError."""
    # Every enrollment asks this. Where each such identifier is followed by the name of a curve,
    # there is nothing to look for.
    if der.count(_ID_EC_PUBLIC_KEY) == der.count(_ID_EC_PUBLIC_KEY + bytes([_OBJECT_IDENTIFIER])):
        return False
    return _has_explicit_curve(children(children(whole(der))[0])[2:3])


def has_explicit_curve(certificate: x509.Certificate) -> bool:
    """Return whether a certificate's EC key has explicit parameters."""
    fields = children(children(whole(certificate.public_bytes(Encoding.DER)))[0])
    first = 1 if fields[0].tag == _VERSION else 0
    return _has_explicit_curve(fields[first + 5 : first + 6])


def _has_explicit_curve(keys: list[Node]) -> bool:
    for key in keys:
        kind, *parameters = children(children(key)[0])
        if kind.encoded == _ID_EC_PUBLIC_KEY:
            return [each.tag for each in parameters] != [_OBJECT_IDENTIFIER]
    return False
