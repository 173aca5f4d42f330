"""Certificates that no library would build: parts are exchanged, and the signature made anew."""

from collections.abc import Callable, Mapping

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from pki.encoding.der import BIT_STRING, SEQUENCE, tlv
from pki.encoding.nodes import children, whole

SERIAL, ALGORITHM, ISSUER, SUBJECT, KEY, EXTENSIONS = 1, 2, 3, 5, 6, 7
"""Places in the signed part of a version 3 certificate (RFC 5280 4.1)."""

ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
ECDSA_SHA256_NULL = bytes.fromhex("300c06082a8648ce3d0403020500")


def resigned(
    certificate: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    fields: Mapping[int, bytes | Callable[[bytes], bytes]],
    *,
    outside: bytes = ECDSA_SHA256,
) -> bytes:
    """Return the certificate in DER with other ``fields``, signed by ``key`` with SHA-256."""
    signed = children(whole(certificate.public_bytes(Encoding.DER)))[0]
    parts = [field.encoded for field in children(signed)]
    for place, change in fields.items():
        parts[place] = change(parts[place]) if callable(change) else change
    to_sign = tlv(SEQUENCE, b"".join(parts))
    signature = key.sign(to_sign, ec.ECDSA(SHA256()))
    return tlv(SEQUENCE, to_sign + outside + tlv(BIT_STRING, b"\0" + signature))


def printable(name: bytes) -> bytes:
    """Return a name whose UTF8Strings are PrintableStrings, whatever characters they have."""
    return name.replace(b"\x06\x03\x55\x04\x03\x0c", b"\x06\x03\x55\x04\x03\x13")
