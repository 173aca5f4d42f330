"""Decode the body of an enrollment to a CSR in DER. ``pki.csr.check`` checks the CSR."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import IO, Any

from estserver.est.chunked import MAX_BODY_BYTES
from estserver.est.reasons import HTTPReason
from pki.encoding.pem import CERTIFICATE_REQUEST, pem_blocks
from pki.exceptions import CSRRejected
from pki.reasons import Reason

_WHITE_SPACE = b" \t\r\n"
_DER_SEQUENCE = b"\x30"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_PEM_BEGIN = re.compile(rb"-----BEGIN [A-Z0-9 ]+-----")


class PKCS10Parser:
    """``application/pkcs10`` (RFC 7030 4.2.1, RFC 8951 3)."""

    media_type = "application/pkcs10"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Return the CSR in DER. Raises ``CSRRejected`` if it is too large or no CSR."""
        return decode_csr(stream.read(MAX_BODY_BYTES + 1))


def decode_csr(body: bytes) -> bytes:
    """Return the DER in ``body``: base64 with any white space, PEM, base64 of PEM, or DER itself.

    RFC 8951 3.1 wants base64 without PEM's lines. Real clients send all of them, some with a byte
    order mark, with text around the PEM, or with the NUL that ends a string in C. None of them can
    be mistaken for another. Raises ``CSRRejected``.
    """
    if len(body) > MAX_BODY_BYTES:
        raise CSRRejected(
            Reason.BODY_TOO_LARGE,
            f"The body is larger than {MAX_BODY_BYTES} bytes. Send only the CSR.",
        )
    if body.startswith(_DER_SEQUENCE):
        return body
    text = body.removeprefix(_BYTE_ORDER_MARK).rstrip(_WHITE_SPACE + b"\0").strip(_WHITE_SPACE)
    if not body.strip(_WHITE_SPACE):
        raise CSRRejected(HTTPReason.BODY_EMPTY)
    if not text:
        raise CSRRejected(HTTPReason.BODY_NOT_BASE64)
    if _PEM_BEGIN.search(text):
        return _in_pem(text)
    try:
        decoded = base64.b64decode(text.translate(None, _WHITE_SPACE), validate=True)
    except binascii.Error as error:
        raise CSRRejected(HTTPReason.BODY_NOT_BASE64) from error
    # Some clients send the base64 of a PEM file.
    if not decoded.startswith(_DER_SEQUENCE) and _PEM_BEGIN.search(decoded):
        return _in_pem(decoded)
    return decoded


def _in_pem(text: bytes) -> bytes:
    """Return the DER of the one PEM block in ``text``. Raises ``CSRRejected``."""
    # The blocks are counted first: to find the ends of thousands would take long.
    is_one = len(_PEM_BEGIN.findall(text)) == 1
    try:
        blocks = pem_blocks(text, CERTIFICATE_REQUEST) if is_one else []
    except ValueError as error:
        raise CSRRejected(HTTPReason.BODY_NOT_BASE64) from error
    if not blocks:
        raise CSRRejected(
            HTTPReason.BODY_NOT_BASE64,
            "The body is PEM, but not one CERTIFICATE REQUEST. Send base64 of the DER CSR.",
        )
    return blocks[0]
