"""What an EST server answers, and the certificates in it (RFC 7030 4.2.3, RFC 5272 4.1)."""

import base64
import binascii
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import pkcs7

PKCS7: Final = "application/pkcs7-mime"
LOGGED_CHARACTERS: Final = 200
"""The length at which another server's text is cut for the log."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's answer."""

    status: int
    media_type: str
    """Lower case, without parameters (RFC 9110 8.3.1)."""
    retry_after: str
    body: bytes

    @property
    def text(self) -> str:
        """The text of a refusal, for a log."""
        return for_log(self.body.decode(errors="replace").strip())

    @property
    def code(self) -> str:
        """The beginning of a refusal's text, up to the colon. This project's refusals have their
        reason code there.
        """
        return self.body[:LOGGED_CHARACTERS].decode(errors="replace").partition(":")[0]


def certificates_in(reply: Reply) -> list[x509.Certificate]:
    """Return the certificates of a certs-only reply.

    White space in the base64 is ignored (RFC 8951 3.1), and so are parameters of the media type.
    Raises ``ValueError``, with a sentence, for every other reply.
    """
    if reply.media_type != PKCS7:
        raise ValueError(f"The reply is {reply.media_type[:64]!a}, not {PKCS7}.")
    try:
        der = base64.b64decode(b"".join(reply.body.split()), validate=True)
    except binascii.Error as error:
        raise ValueError("The reply is not base64.") from error
    try:
        return pkcs7.load_der_pkcs7_certificates(der)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise ValueError("The reply is not a certs-only PKCS #7 in DER.") from error


def for_log(text: str) -> str:
    """Return another server's text escaped to ASCII, on one line, and cut."""
    escaped = ascii(text)
    is_short = len(escaped) <= LOGGED_CHARACTERS
    return escaped if is_short else f"{escaped[:LOGGED_CHARACTERS]}..."
