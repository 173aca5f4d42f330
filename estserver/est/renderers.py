"""Replies, byte for byte (RFC 7030 4, RFC 8951 3).

Each is one unbroken line of base64 ended by LF, with a Content-Length: strongSwan wants the line,
small clients the length, Bouncy Castle up to 1.72 the Content-Transfer-Encoding that RFC 8951
declares void.
"""

import base64
import textwrap

from django.conf import settings
from django.http import HttpResponse

from pki.encoding import certs_only as cms
from pki.exceptions import PKIError
from pki.models import IssuedCertificate
from pki.reasons import Reason

PKCS7 = "application/pkcs7-mime"
CERTS_ONLY = "application/pkcs7-mime; smime-type=certs-only"
CSR_ATTRIBUTES = "application/csrattrs"

RETRY_AFTER_SECONDS = 30


def certs_only(certificate: IssuedCertificate) -> HttpResponse:
    """A Simple PKI Response with just the issued certificate (RFC 7030 4.2.3, RFC 5272 4.1)."""
    return _base64(cms.certs_only([certificate.to_der()]), CERTS_ONLY)


def ca_certificates(der: bytes, *, with_smime_type: bool, wrapped: bool) -> HttpResponse:
    """The CA's certificates (RFC 7030 4.1.3).

    The RFC names no smime-type here; the CDK sample sent one and its clients compare for equality,
    while Bouncy Castle before 1.69 refuses it. libest wants the base64 ``wrapped``.
    """
    return _base64(der, CERTS_ONLY if with_smime_type else PKCS7, wrapped=wrapped)


def csr_attributes(der: bytes) -> HttpResponse:
    """What a CSR should hold (RFC 7030 4.5.2), or 204 for nothing to say."""
    if not der:
        nothing = HttpResponse(status=204)
        del nothing["Content-Type"]  # Django's default; there is no content (W33)
        return nothing
    return _base64(der, CSR_ATTRIBUTES)


def refusal(
    error: PKIError, status: int, *, request_id: str, headers: dict[str, str] | None = None
) -> HttpResponse:
    """One line of text: the reason's code, a sentence, and the id that finds it in log and admin.

    RFC 8951 5.1 has errors as text/plain.
    """
    return text_line(
        f"{error.reason.code}: {error.message} (request {request_id})", status, headers=headers
    )


def text_line(line: str, status: int, *, headers: dict[str, str] | None = None) -> HttpResponse:
    """One line of text/plain; what can't be seen (a hook may say anything) becomes a space."""
    visible = "".join(one if one.isprintable() else " " for one in line)
    body = " ".join(visible.split()).encode() + b"\n"
    return HttpResponse(
        body,
        status=status,
        content_type="text/plain; charset=utf-8",
        headers={"Content-Length": str(len(body)), **(headers or {})},
    )


def headers_for(reason: Reason, status: int) -> dict[str, str]:
    """What goes with a refusal: a challenge with 401, a time to come back with 429 and 5xx.

    RFC 9110 11.6.1 wants a challenge in every 401; there is no scheme's name for client
    certificates, and Basic is what EST clients know (RFC 7030 3.2.3).
    """
    if status == 401:
        return {"WWW-Authenticate": 'Basic realm="est", charset="UTF-8"'}
    if status in (429, 503) or reason is Reason.INTERNAL_ERROR:
        return {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return {}


def _base64(der: bytes, content_type: str, *, wrapped: bool = False) -> HttpResponse:
    text = base64.b64encode(der)
    if wrapped:
        text = "\n".join(textwrap.wrap(text.decode(), 64)).encode()
    body = text + b"\n"
    headers = {"Content-Length": str(len(body))}
    if settings.EST_SEND_TRANSFER_ENCODING:
        headers["Content-Transfer-Encoding"] = "base64"
    return HttpResponse(body, content_type=content_type, headers=headers)
