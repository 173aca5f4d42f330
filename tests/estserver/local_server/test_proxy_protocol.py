"""The header of a TCP balancer, byte by byte.

https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt
"""

import socket
import struct

import pytest

from estserver.local_server.proxy_protocol import (
    LONGEST_HEADER,
    SIGNATURE,
    NotAProxyHeader,
    begins_like_one,
    read_header,
)


def header(addresses, *, command=0x21, family=0x11):
    return SIGNATURE + struct.pack("!BBH", command, family, len(addresses)) + addresses


def of_ipv4(source="192.0.2.7"):
    addresses = socket.inet_aton(source) + socket.inet_aton("192.0.2.1")
    return header(addresses + struct.pack("!HH", 40000, 8443))


def of_ipv6(source="2001:db8::7"):
    addresses = socket.inet_pton(socket.AF_INET6, source) * 2
    return header(addresses + struct.pack("!HH", 40000, 8443), family=0x21)


@pytest.mark.parametrize(
    ("data", "address"),
    [
        (of_ipv4(), "192.0.2.7"),
        (of_ipv6(), "2001:db8::7"),
        (header(b"", command=0x20, family=0), None),
        (header(of_ipv4()[16:] + b"\x03\0\x04abcd"), "192.0.2.7"),  # with a TLV
    ],
)
def test_a_header_gives_the_source_address_and_its_length(data, address):
    assert read_header(data + b"\x16\x03\x01") == (len(data), address)
    for end in range(len(data)):
        assert read_header(data[:end]) is None
        if end:
            assert begins_like_one(data[:end])


@pytest.mark.parametrize(
    "data",
    [
        b"PROXY TCP4 192.0.2.7 192.0.2.1 40000 8443\r\n",
        header(b"", command=0x11),
        header(b"", command=0x22),
        header(b"x" * 12, family=0x12),  # UDP
        header(b"x" * 4),
        header(b"x" * 12, family=0x21),
        header(b"x" * LONGEST_HEADER),
    ],
)
def test_any_other_header_is_refused(data):
    assert begins_like_one(data)
    with pytest.raises(NotAProxyHeader):
        read_header(data)


@pytest.mark.parametrize("data", [b"\x16\x03\x01", b"GET / HTTP/1.1\r\n", b"\r\n\r\nx", b""])
def test_nothing_else_begins_like_one(data):
    assert not begins_like_one(data)
