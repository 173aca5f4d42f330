"""Where a body in chunks ends, found while it comes, and by gunicorn's parser afterwards."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from estserver.local_server.chunk_scan import ChunkScan

LINE = 100


def scanned(body, step):
    """How long the body is, when it comes in steps; and the content that was counted."""
    scan, held = ChunkScan(LINE), bytearray()
    for start in range(0, len(body), step):
        held += body[start : start + step]
        length = scan.look(held)
        if length is not None:
            return length, scan
    return None, scan


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(
    ("body", "length"),
    [
        (b"0\r\n\r\n", 5),
        (b"5\r\nhello\r\n0\r\n\r\n", 15),
        (b'5;a="b"\r\nhello\r\n0\r\nX: y\r\n\r\n', 27),
        (b"5 \r\nhello\r\n000\r\n\r\n", 18),
    ],
)
def test_a_body_ends_where_its_last_line_ends(step, body, length):
    assert scanned(body + b"GET / HTTP/1.1\r\n", step)[0] == length == len(body)


@pytest.mark.parametrize(
    "body", [b"", b"5", b"5\r\nhel", b"5\r\nhello", b"0\r\n", b"0\r\nX: y\r\n"]
)
def test_half_a_body_has_no_end(body):
    assert scanned(body, 1)[0] is None


@pytest.mark.parametrize(
    "body",
    [
        b"zz\r\n",
        b"-5\r\n",
        b"\r\n",
        b"5\r\nhelloXX",
        b"f" * 16 + b"\r\n",
        b"0" * (LINE + 1),
    ],
)
def test_what_no_parser_takes_ends_at_once(body):
    assert scanned(body, len(body))[0] == len(body)


def test_content_is_counted_while_it_comes():
    _, scan = scanned(b"3\r\nabc\r\nff\r\n" + b"x" * 10, 1000)

    assert scan.decoded == 13
    assert scan.boundary == 8


@given(
    st.lists(st.binary(min_size=1, max_size=50), max_size=5),
    st.integers(1, 20),
    st.binary(max_size=20),
)
def test_any_chunks_end_where_they_end(chunks, step, more):
    body = b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in chunks) + b"0\r\n\r\n"

    length, scan = scanned(body + more, step)

    assert length == len(body)
    assert scan.decoded == sum(map(len, chunks))
