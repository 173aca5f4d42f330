"""Valid bytes, mutated. Each mutation follows from the seed and its number, and can be repeated."""

import random
from collections.abc import Sequence
from pathlib import Path

TOKENS_OF_HTTP = (
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b"\xff",
    b" ",
    b":",
    b"\t",
    b"%00",
    b"%2e%2e/",
    b"//",
    b"?",
    b"#",
    b"0",
    b"-1",
    b"+5",
    b"0x10",
    b"99999999999999999999",
    b"1e3",
    b";a=b",
    b"HTTP/1.0",
    b"HTTP/2.0",
    b"HTTP/9.9",
    b"\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip\r\n",
    b"Content-Length: 0\r\n",
    b"Content-Length: 7\r\n",
    b"Connection: keep-alive\r\n",
    b"Expect: 100-continue\r\n",
    b"Host: \r\n",
    b"Host: example.com\r\n",
    b"Authorization: Basic \r\n",
    b"X" * 5000,
    b"A: b\r\n" * 60,
    b"5\r\nhello\r\n",
    b"zz\r\n",
    b"\xc3\x28",
    "é".encode(),
)
TOKENS_OF_DER = (
    b"\x00",
    b"\x30",
    b"\x31",
    b"\x7f",
    b"\x80",
    b"\x81\x80",
    b"\x82\xff\xff",
    b"\x84\xff\xff\xff\xff",
    b"\x1f\x81\x00",
    b"\xa0\x00",
    b"\x05\x00",
    b"\x02\x01\xff",
    b"\x03\x01\x00",
    b"\x0c\x02\xc3\x28",
    b"\x06\x01\x80",
    b"\x17\x01z",
    b"\x30\x80",
    b"\x30" * 40,
    b"\xff" * 8,
    b"\x1e\x01\x00",
)
MOST_CHANGES = 4
FAILURES = Path(__file__).parents[3] / "var" / "proof"
"""Where inputs are kept. Pytest soon deletes its own directories."""


def dice_for(seed: int, number: int) -> random.Random:
    """Return the dice of the mutation with this number."""
    return random.Random(seed << 32 | number)


def mutated(dice: random.Random, seeds: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    """Return one of ``seeds`` with one to four places changed, rather few than many.

    By chance it may be as it was.
    """
    data = bytearray(dice.choice(seeds))
    for _ in range(min(dice.randint(1, MOST_CHANGES), dice.randint(1, MOST_CHANGES))):
        start = dice.randrange(len(data) + 1)
        end = start + dice.randint(1, 12)
        match dice.randrange(8):
            case 0 if start < len(data):
                data[start] ^= dice.randint(1, 255)
            case 1:
                del data[start:end]
            case 2:
                data[start:start] = data[start:end]
            case 3:
                data[start:start] = dice.randbytes(dice.randint(1, 12))
            case 4:
                data[start:start] = dice.choice(tokens)
            case 5:
                token = dice.choice(tokens)
                data[start : start + len(token)] = token
            case 6:
                other = dice.choice(seeds)
                data[start:end] = other[start : end + dice.randint(0, 40)]
            case 7 if dice.randrange(4) == 0:
                del data[start:]
    return bytes(data)


def kept(name: str, data: bytes) -> Path:
    """Write an input that failed to a file that stays; return the file, for the message to name."""
    FAILURES.mkdir(parents=True, exist_ok=True)
    path = FAILURES / name
    path.write_bytes(data)
    return path
