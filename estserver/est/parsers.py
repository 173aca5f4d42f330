"""Decode the body of an enrollment to a CSR in DER. ``pki.csr.check`` checks the CSR."""

import base64
import binascii
from collections.abc import Mapping
from typing import IO, Any

from estserver.est.chunked import MAX_BODY_BYTES
from estserver.est.reasons import HTTPReason
from pki.exceptions import CSRRejected
from pki.reasons import Reason

_WHITE_SPACE = b" \t\r\n"
_DER_SEQUENCE = b"\x30"
_PEM_LABELS = (b"CERTIFICATE REQUEST", b"NEW CERTIFICATE REQUEST")


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
    """Return the DER in ``body``: base64 with any white space, PEM, or DER itself.

    RFC 8951 3.1 wants base64 without PEM's lines. Real clients send all three, and none of them can
    be mistaken for another. Raises ``CSRRejected``.
    """
    if len(body) > MAX_BODY_BYTES:
        raise CSRRejected(
            Reason.BODY_TOO_LARGE,
            f"The body is larger than {MAX_BODY_BYTES} bytes. Send only the CSR.",
        )
    text = body.strip(_WHITE_SPACE)
    if not text:
        raise CSRRejected(HTTPReason.BODY_EMPTY)
    if body.startswith(_DER_SEQUENCE):
        return body
    if text.startswith(b"-----"):
        text = _without_pem_lines(text)
    try:
        return base64.b64decode(text.translate(None, _WHITE_SPACE), validate=True)
    except binascii.Error as error:
        raise CSRRejected(HTTPReason.BODY_NOT_BASE64) from error


def _without_pem_lines(text: bytes) -> bytes:
    for label in _PEM_LABELS:
        begin, end = b"-----BEGIN %s-----" % label, b"-----END %s-----" % label
        if text.startswith(begin) and text.endswith(end):
            return text[len(begin) : -len(end)]
    raise CSRRejected(
        HTTPReason.BODY_NOT_BASE64,
        "The body is PEM, but not one CERTIFICATE REQUEST. Send base64 of the DER CSR.",
    )
