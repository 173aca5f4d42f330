"""Reading what an EST server answers, to the byte."""

import base64
import binascii
from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import pkcs7

from estserver.smoke.wire import Reply

PKCS7 = "application/pkcs7-mime"


class Unfit(Exception):
    """The reply isn't what EST says; one clause of what was found."""


def der_of(reply: Reply, media_type: str) -> bytes:
    """The DER of an EST body. Raises Unfit.

    The body must be what was sent, to the byte: a gateway that takes it for text, or for something
    to compress, changes it on the way.
    """
    if reply.status != 200:
        raise Unfit(f"the answer is {reply.says}")
    found = reply.headers.get("content-type", "nothing")
    if found.partition(";")[0].strip().lower() != media_type:
        raise Unfit(f"Content-Type is {found}, not {media_type}")
    if encoding := reply.headers.get("content-encoding"):
        raise Unfit(f"it was compressed on the way (Content-Encoding {encoding})")
    length = reply.headers.get("content-length")
    if length is not None and length != str(len(reply.body)):
        raise Unfit(f"Content-Length is {length}, and {len(reply.body)} bytes came")
    text = reply.body.removesuffix(b"\n")
    try:
        der = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise Unfit(f"the body isn't one line of base64 ({error})") from error
    if base64.b64encode(der) != text:
        raise Unfit("the body isn't base64 as it was sent")
    return der


def certificates_of(reply: Reply) -> list[x509.Certificate]:
    """The certificates of a certs-only reply (RFC 7030 4.1.3, 4.2.3). Raises Unfit."""
    der = der_of(reply, PKCS7)
    try:
        return pkcs7.load_der_pkcs7_certificates(der)
    except ValueError as error:
        raise Unfit(f"the body isn't a certs-only PKCS #7 ({error})") from error


def issuer_of(
    certificate: x509.Certificate, among: Sequence[x509.Certificate]
) -> x509.Certificate | None:
    """Whose signature ``certificate`` carries; ``None`` for nobody's here."""
    for candidate in among:
        try:
            certificate.verify_directly_issued_by(candidate)
        except (ValueError, TypeError, InvalidSignature):
            continue
        return candidate
    return None
