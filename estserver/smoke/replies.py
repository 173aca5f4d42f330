"""Reading the answers of an EST server, to the byte."""

import base64
import binascii
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs7

from estserver.smoke.wire import Reply
from pki.encoding.certificates import is_signed_by

PKCS7 = "application/pkcs7-mime"


class Unfit(Exception):
    """The reply is not what EST demands. The message is a sentence that says what was found."""


def der_of(reply: Reply, media_type: str) -> bytes:
    """Return the DER of an EST body. Raises Unfit.

    The body must arrive as the server sent it, to the byte. A gateway that takes it for text, or
    compresses it, changes it on the way.
    """
    if reply.status != 200:
        raise Unfit(f"The answer is {reply.says}.")
    found = reply.headers.get("content-type", "nothing")
    if found.partition(";")[0].strip().lower() != media_type:
        raise Unfit(f"The Content-Type is {found}, not {media_type}.")
    if encoding := reply.headers.get("content-encoding"):
        raise Unfit(f"The body was compressed on the way (Content-Encoding {encoding}).")
    length = reply.headers.get("content-length")
    if length is not None and length != str(len(reply.body)):
        raise Unfit(f"The Content-Length is {length}, and {len(reply.body)} bytes came.")
    text = reply.body.removesuffix(b"\n")
    try:
        der = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise Unfit(f"The body is not one line of base64 ({error}).") from error
    if base64.b64encode(der) != text:
        raise Unfit("The body is not the base64 of its own content.")
    return der


def certificates_of(reply: Reply) -> list[x509.Certificate]:
    """Return the certificates of a certs-only reply (RFC 7030 4.1.3, 4.2.3). Raises Unfit."""
    der = der_of(reply, PKCS7)
    try:
        return pkcs7.load_der_pkcs7_certificates(der)
    except ValueError as error:
        raise Unfit(f"The body is not a certs-only PKCS #7 ({error}).") from error


def issuer_of(
    certificate: x509.Certificate, among: Sequence[x509.Certificate]
) -> x509.Certificate | None:
    """Return the one of ``among`` that signed ``certificate``, or ``None``."""
    return next((one for one in among if is_signed_by(certificate, one)), None)
