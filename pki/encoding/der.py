"""The little of ASN.1's distinguished encoding rules that EST's own messages take (X.690)."""

INTEGER, OBJECT_IDENTIFIER, SEQUENCE, SET = b"\x02", b"\x06", b"\x30", b"\x31"


def tlv(tag: bytes, contents: bytes) -> bytes:
    """Tag, length, value (X.690 8.1), the length as short as it goes (X.690 10.1)."""
    size = len(contents)
    if size < 0x80:
        return tag + bytes([size]) + contents
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return tag + bytes([0x80 | len(length)]) + length + contents
