"""The only table from an error to an HTTP status. What it doesn't name is a bug: 500."""

import logging
from typing import Any, cast

from django.db import Error as DatabaseError  # InterfaceError isn't a DatabaseError
from django.http import HttpResponse, UnreadablePostError
from rest_framework import exceptions as drf
from rest_framework import status

from estserver.est import renderers
from estserver.est.middleware import ESTRequest
from pki.exceptions import (
    AuthorityUnavailable,
    Busy,
    ClientRefused,
    CSRRejected,
    DeviceDenied,
    EnrollmentRefused,
    PKIError,
    SignerRefused,
    SignerUnavailable,
)
from pki.reasons import Reason

logger = logging.getLogger(__name__)

STATUS_BY_ERROR: dict[type[PKIError], int] = {
    CSRRejected: status.HTTP_400_BAD_REQUEST,
    ClientRefused: status.HTTP_403_FORBIDDEN,
    DeviceDenied: status.HTTP_403_FORBIDDEN,
    EnrollmentRefused: status.HTTP_403_FORBIDDEN,
    SignerRefused: status.HTTP_403_FORBIDDEN,
    SignerUnavailable: status.HTTP_503_SERVICE_UNAVAILABLE,
    AuthorityUnavailable: status.HTTP_503_SERVICE_UNAVAILABLE,
    Busy: status.HTTP_503_SERVICE_UNAVAILABLE,
}

STATUS_BY_REASON: dict[Reason, int] = {
    Reason.BODY_TOO_LARGE: status.HTTP_413_REQUEST_ENTITY_TOO_LARGE,
    Reason.CLIENT_CERTIFICATE_MISSING: status.HTTP_401_UNAUTHORIZED,
    Reason.LABEL_UNKNOWN: status.HTTP_404_NOT_FOUND,
}


def exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponse:
    """Turn whatever a view raised into one line of text."""
    request = cast(ESTRequest, context["request"]._request)
    refused, status_code = _as_refusal(error)
    if status_code >= 500:
        logger.error(
            "%s", refused, exc_info=error, extra={"fields": {"request_id": request.request_id}}
        )
    request.refused = refused
    return renderers.refusal(
        refused,
        status_code,
        request_id=request.request_id,
        headers={
            **renderers.headers_for(refused.reason, status_code),
            **_allow(error, context),
        },
    )


def status_of(error: PKIError) -> int | None:
    """The HTTP status of a refusal: its reason's own, else its kind's; ``None`` for neither."""
    kind = next((kind for kind in type(error).__mro__ if kind in STATUS_BY_ERROR), None)
    return STATUS_BY_REASON.get(error.reason) or (STATUS_BY_ERROR[kind] if kind else None)


def _as_refusal(error: Exception) -> tuple[PKIError, int]:
    if isinstance(error, PKIError) and (known := status_of(error)) is not None:
        return error, known
    if isinstance(error, DatabaseError):
        return PKIError(Reason.DATABASE_UNAVAILABLE), status.HTTP_503_SERVICE_UNAVAILABLE
    if isinstance(error, UnreadablePostError):
        gone = PKIError(Reason.BODY_EMPTY, "the connection ended before the body did")
        return gone, status.HTTP_400_BAD_REQUEST
    if isinstance(error, drf.UnsupportedMediaType):
        return PKIError(Reason.MEDIA_TYPE_WRONG), error.status_code
    if isinstance(error, drf.MethodNotAllowed):
        return PKIError(Reason.METHOD_NOT_ALLOWED), error.status_code
    return PKIError(Reason.INTERNAL_ERROR), status.HTTP_500_INTERNAL_SERVER_ERROR


def _allow(error: Exception, context: dict[str, Any]) -> dict[str, str]:
    if isinstance(error, drf.MethodNotAllowed):
        return {"Allow": ", ".join(context["view"].allowed_methods)}
    return {}
