"""The header with which a TCP balancer tells whose connection it passes on: PROXY protocol, v2.

https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt, section 2.2
"""

import struct
from ipaddress import IPv4Address, IPv6Address

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_VERSION_1 = b"PROXY "
_FIXED = struct.Struct("!12sBBH")
_VERSION_2, _LOCAL, _PROXY = 0x20, 0x0, 0x1
_TCP_4, _TCP_6 = 0x11, 0x21
LONGEST_HEADER = 536
"""Bytes that a receiver has to expect; anything longer is refused here."""


class NotAProxyHeader(ValueError):
    """The bytes begin like a header of the PROXY protocol, and are none that this server takes."""


def begins_like_one(data: bytes | bytearray) -> bool:
    """Return whether bytes may be the beginning of a header of either version.

    No TLS begins so: its first byte is 0x16 (RFC 8446 5.1).
    """
    return any(
        data[: len(begin)] == begin[: len(data)] for begin in (SIGNATURE, _VERSION_1) if data
    )


def read_header(data: bytes | bytearray) -> tuple[int, str | None] | None:
    """Read a header: its length in bytes, and the source address that it gives.

    The address is ``None`` in a balancer's own connections, such as its health checks. ``None``
    for the whole means that more bytes have to come. Raises ``NotAProxyHeader``.
    """
    if data[: len(_VERSION_1)] == _VERSION_1:
        raise NotAProxyHeader("it is of version 1, and version 2 is wanted")
    if len(data) < _FIXED.size:
        return None
    _, version_and_command, family, length = _FIXED.unpack_from(data)
    command = version_and_command & 0x0F
    if version_and_command & 0xF0 != _VERSION_2 or command not in (_LOCAL, _PROXY):
        raise NotAProxyHeader("its version or command is unknown")
    whole = _FIXED.size + length
    if whole > LONGEST_HEADER:
        raise NotAProxyHeader(f"it is longer than {LONGEST_HEADER} bytes")
    if len(data) < whole:
        return None
    addresses = bytes(data[_FIXED.size : whole])
    if command == _LOCAL:
        return whole, None
    if family == _TCP_4 and length >= 12:
        return whole, str(IPv4Address(addresses[:4]))
    if family == _TCP_6 and length >= 36:
        return whole, str(IPv6Address(addresses[:16]))
    raise NotAProxyHeader("it is for another transport than TCP")
