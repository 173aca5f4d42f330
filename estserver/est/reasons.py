"""Reason codes of HTTP, and the HTTP status of every refusal.

`pki.reasons` has the codes of the CA, which knows neither requests nor statuses. This module has
the codes of what is wrong with a request before the CA sees it, and the only table from an error
to a status. An error that the table does not name is a bug, and answers 500.
"""

from http import HTTPStatus

from pki.exceptions import (
    AuthorityUnavailable,
    Busy,
    ClientRefused,
    CSRRejected,
    DeviceDenied,
    EnrollmentRefused,
    PKIError,
    QuotaExceeded,
    SignerRefused,
    SignerUnavailable,
)
from pki.reasons import Reason, ReasonCode


class HTTPReason(ReasonCode):
    """Why a request was refused as HTTP, or as EST over HTTP, with the status of the answer."""

    def __init__(self, code: str, meaning: str, advice: str, status: HTTPStatus) -> None:
        super().__init__(code, meaning, advice)
        self.status = status

    # The body
    BODY_EMPTY = (
        "body-empty",
        "The request has no body.",
        "Send the CSR as base64 of its DER form (RFC 8951 3).",
        HTTPStatus.BAD_REQUEST,
    )
    BODY_NOT_BASE64 = (
        "body-not-base64",
        "The request body is neither base64, PEM nor DER.",
        "Send base64 of the DER CSR, without other characters (RFC 4648 4).",
        HTTPStatus.BAD_REQUEST,
    )
    BODY_CHUNKS_MALFORMED = (
        "body-chunks-malformed",
        "A chunk or the trailer of the request body is malformed.",
        "Send the body with a Content-Length, or in chunks of the form in RFC 9112 7.1.",
        HTTPStatus.BAD_REQUEST,
    )
    TRANSFER_CODING_UNKNOWN = (
        "transfer-coding-unknown",
        "The request body has another transfer coding than chunked.",
        "Send the body with a Content-Length, or with 'Transfer-Encoding: chunked' alone.",
        HTTPStatus.NOT_IMPLEMENTED,
    )
    MEDIA_TYPE_WRONG = (
        "media-type-wrong",
        "The Content-Type is not application/pkcs10.",
        "Send 'Content-Type: application/pkcs10', or set apiStrictHeadersCheck to false.",
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    )
    # The connection
    CLIENT_CERTIFICATE_MISSING = (
        "client-certificate-missing",
        "No client certificate came with the TLS connection.",
        "Connect with a client certificate, for example: curl --cert client.pem --key client.key.",
        HTTPStatus.UNAUTHORIZED,
    )
    ENDPOINT_NOT_ALLOWED = (
        "endpoint-not-allowed",
        "The request did not come through the EST domain.",
        "Call the server by its custom domain name, which does mutual TLS.",
        HTTPStatus.FORBIDDEN,
    )
    HOST_MISSING = (
        "host-missing",
        "The HTTP/1.1 request has no Host header.",
        "Send 'Host:' with the EST domain's own name (RFC 9112 3.2).",
        HTTPStatus.BAD_REQUEST,
    )
    HOST_NOT_ALLOWED = (
        "host-not-allowed",
        "The Host header names no domain of this server.",
        "Use the EST domain's own name.",
        HTTPStatus.BAD_REQUEST,
    )
    # The path and the method
    NOT_FOUND = (
        "not-found",
        "There is nothing at this path.",
        "EST is at /.well-known/est/<operation>, without a slash at the end.",
        HTTPStatus.NOT_FOUND,
    )
    METHOD_NOT_ALLOWED = (
        "method-not-allowed",
        "This operation does not take this HTTP method.",
        "Use GET for cacerts and csrattrs, and POST for the others.",
        HTTPStatus.METHOD_NOT_ALLOWED,
    )
    NOT_IMPLEMENTED = (
        "not-implemented",
        "The server does not offer this optional operation.",
        "Use simpleenroll and simplereenroll.",
        HTTPStatus.NOT_IMPLEMENTED,
    )
    # A bug
    INTERNAL_ERROR = (
        "internal-error",
        "The server failed to answer the request.",
        "Give the operator the request id.",
        HTTPStatus.INTERNAL_SERVER_ERROR,
    )


STATUS_BY_ERROR: dict[type[PKIError], HTTPStatus] = {
    CSRRejected: HTTPStatus.BAD_REQUEST,
    ClientRefused: HTTPStatus.FORBIDDEN,
    DeviceDenied: HTTPStatus.FORBIDDEN,
    EnrollmentRefused: HTTPStatus.FORBIDDEN,
    QuotaExceeded: HTTPStatus.TOO_MANY_REQUESTS,
    SignerRefused: HTTPStatus.FORBIDDEN,
    SignerUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    AuthorityUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    Busy: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""The status of each kind of error."""

STATUS_BY_REASON: dict[ReasonCode, HTTPStatus] = {
    Reason.BODY_TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Reason.LABEL_UNKNOWN: HTTPStatus.NOT_FOUND,
    Reason.LABEL_CA_DISTRUSTED: HTTPStatus.NOT_FOUND,
    **{reason: reason.status for reason in HTTPReason},
}
"""The status of those reasons that have one of their own, whichever error carries them."""


def status_of(error: PKIError) -> HTTPStatus:
    """Return the status of a refusal: its reason's own, else that of its kind, else 500."""
    if error.reason in STATUS_BY_REASON:
        return STATUS_BY_REASON[error.reason]
    kinds = (kind for kind in type(error).__mro__ if kind in STATUS_BY_ERROR)
    kind = next(kinds, None)
    return STATUS_BY_ERROR[kind] if kind else HTTPStatus.INTERNAL_SERVER_ERROR
