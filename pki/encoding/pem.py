"""Find the PEM blocks in a text (RFC 7468), whatever is written around them.

Tools put a byte order mark, the subject in words or a trailing NUL there. Nothing here imports
``cryptography``.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

CERTIFICATE: Final = ("CERTIFICATE", "X509 CERTIFICATE")
CERTIFICATE_REQUEST: Final = ("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")

_BLOCK: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,64})-----(.*?)-----END \1-----", re.DOTALL)
_BEGIN: Final = b"-----BEGIN "
# RFC 7468 10 and 11, and the older ones of OpenSSL and OpenSSH. PuTTY's files begin otherwise.
_PRIVATE_KEY: Final = re.compile(
    rb"-----BEGIN [A-Z0-9 ]{0,64}PRIVATE KEY|PuTTY-User-Key-File-\d", re.IGNORECASE
)
_WHITE_SPACE: Final = b" \t\r\n"
_AROUND: Final = _WHITE_SPACE + b"\0\xef\xbb\xbf"  # a trailing NUL, a byte order mark


def pem_blocks(text: bytes, labels: Sequence[str]) -> list[bytes]:
    """Return the contents of the blocks with one of ``labels``, in the order of the text.

    Other blocks are passed over. Raises ``ValueError`` for a block that has no end, or is not
    base64.
    """
    wanted = {label.encode() for label in labels}
    begun = sum(text.count(b"-----BEGIN %s-----" % label) for label in wanted)
    if begun != sum(each[1] in wanted for each in _BLOCK.finditer(text)):
        raise ValueError("A PEM block has no end. It ends with -----END and the same words.")
    return [_decoded(each[2]) for each in _BLOCK.finditer(text) if each[1] in wanted]


def has_private_key(text: bytes) -> bool:
    """Return whether a private key is in the text, by the line with which it begins.

    What comes after that line is not looked at, so nothing of the key is kept anywhere.
    """
    return _PRIVATE_KEY.search(text) is not None


def unwrapped(text: bytes) -> bytes:
    """Return ``text``, or what it is the base64 of if that is PEM, which some tools write."""
    if _BEGIN in text:
        return text
    with suppress(binascii.Error):
        decoded = base64.b64decode(text.strip(_AROUND).translate(None, _WHITE_SPACE), validate=True)
        if _BEGIN in decoded:
            return decoded
    return text


def pem_text(der: bytes, label: str) -> str:
    """Return ``der`` as one block, in lines of 64 characters (RFC 7468 2)."""
    encoded = base64.b64encode(der).decode()
    lines = [encoded[start : start + 64] for start in range(0, len(encoded), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


def _decoded(content: bytes) -> bytes:
    try:
        return base64.b64decode(content.translate(None, _WHITE_SPACE), validate=True)
    except binascii.Error as error:
        raise ValueError("A PEM block is not base64. Copy it whole.") from error
