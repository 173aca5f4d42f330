"""The part of ASN.1's distinguished encoding rules that EST's own messages need (X.690).

Nothing here imports ``cryptography``: /cacerts loads this module at a cold start.
"""

import hashlib

INTEGER, BIT_STRING, OBJECT_IDENTIFIER, SEQUENCE, SET = b"\x02", b"\x03", b"\x06", b"\x30", b"\x31"


def tlv(tag: bytes, contents: bytes) -> bytes:
    """Return tag, length and value (X.690 8.1), with the shortest length there is (X.690 10.1)."""
    size = len(contents)
    if size < 0x80:
        return tag + bytes([size]) + contents
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return tag + bytes([0x80 | len(length)]) + length + contents


def fingerprint_of_der(certificate: bytes) -> str:
    """Return the SHA-256 of a certificate in DER, in lower-case hex.

    The same text as `pki.encoding.certificates.fingerprint_of` gives for the parsed certificate.
    """
    return hashlib.sha256(certificate).hexdigest()
