"""Replies, byte for byte (RFC 7030 4, RFC 8951 3).

Each reply with a body is base64 that ends with LF, and has a Content-Length. It is one unbroken
line, which strongSwan needs, except for clients that cannot read a long line. Small clients need
the length. Bouncy Castle up to 1.72 needs the Content-Transfer-Encoding that RFC 8951 declares
void.
"""

import base64
from http import HTTPStatus

from django.conf import settings
from django.http import HttpResponse

from estserver.est.reasons import status_of
from pki.encoding import certs_only as cms
from pki.exceptions import PKIError, QuotaExceeded
from pki.models import IssuedCertificate

PKCS7 = "application/pkcs7-mime"
CERTS_ONLY = "application/pkcs7-mime; smime-type=certs-only"
CSR_ATTRIBUTES = "application/csrattrs"

RETRY_AFTER_SECONDS = 30

SHORT_LINE_CLIENTS = ("Cisco EST client", "libest")
"""How the User-Agent of a client begins that cannot read a line of more than 1,000 characters."""

_LINE_LENGTH = 64


def certs_only(certificate: IssuedCertificate, *, user_agent: str) -> HttpResponse:
    """Return a Simple PKI Response with the issued certificate (RFC 7030 4.2.3, RFC 5272 4.1)."""
    return _base64(cms.certs_only([certificate.to_der()]), CERTS_ONLY, user_agent=user_agent)


def ca_certificates(der: bytes, *, with_smime_type: bool, user_agent: str) -> HttpResponse:
    """Return the CA's certificates (RFC 7030 4.1.3).

    The RFC names no smime-type here. The CDK sample sent one, and its clients compare the type for
    equality. Bouncy Castle before 1.69 refuses it.
    """
    return _base64(der, CERTS_ONLY if with_smime_type else PKCS7, user_agent=user_agent)


def csr_attributes(der: bytes, *, user_agent: str) -> HttpResponse:
    """Return what a CSR should contain (RFC 7030 4.5.2), or 204 if that is empty."""
    if not der:
        nothing = HttpResponse(status=204)
        del nothing["Content-Type"]  # Django sets a default, and there is no content (W33)
        return nothing
    return _base64(der, CSR_ATTRIBUTES, user_agent=user_agent)


def refusal(
    error: PKIError, *, request_id: str, headers: dict[str, str] | None = None
) -> HttpResponse:
    """Return a refusal in one line of text/plain (RFC 8951 5.1).

    The line has the reason's code, what is wrong, and the id that finds the refusal in the log and
    in the admin. The status is that of `estserver.est.reasons`.
    """
    status = status_of(error)
    return _text_line(
        f"{error.reason.code}: {error.message} (request {request_id})",
        status,
        headers={**_headers_for(status, error), **(headers or {})},
    )


def _text_line(line: str, status: int, *, headers: dict[str, str]) -> HttpResponse:
    """Return one line of text/plain.

    Characters that are not printable become a space, because a hook may have written the message.
    """
    visible = "".join(one if one.isprintable() else " " for one in line)
    body = " ".join(visible.split()).encode() + b"\n"
    return HttpResponse(
        body,
        status=status,
        content_type="text/plain; charset=utf-8",
        headers={"Content-Length": str(len(body)), **headers},
    )


def _headers_for(status: int, error: PKIError) -> dict[str, str]:
    """Return the headers of a refusal: a challenge with 401, a time to come back with 429 and 5xx.

    RFC 9110 11.6.1 demands a challenge in every 401. No authentication scheme is registered for
    client certificates, and EST clients know Basic (RFC 7030 3.2.3).
    """
    if status == HTTPStatus.UNAUTHORIZED:
        return {"WWW-Authenticate": 'Basic realm="est", charset="UTF-8"'}
    if isinstance(error, QuotaExceeded):
        return {"Retry-After": str(error.retry_after)}
    if status in (HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE):
        return {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return {}


def _base64(der: bytes, content_type: str, *, user_agent: str) -> HttpResponse:
    """Return ``der`` in base64. Nothing but the line breaks depends on ``user_agent``."""
    text = base64.b64encode(der)
    width = _LINE_LENGTH if user_agent.startswith(SHORT_LINE_CLIENTS) else len(text)
    body = b"".join(text[at : at + width] + b"\n" for at in range(0, len(text), width))
    headers = {"Content-Length": str(len(body)), "Vary": "User-Agent"}
    if settings.EST_CONTENT_TRANSFER_ENCODING_HEADER:
        headers["Content-Transfer-Encoding"] = "base64"
    return HttpResponse(body, content_type=content_type, headers=headers)
