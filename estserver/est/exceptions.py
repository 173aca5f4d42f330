"""Answers to what a view raised: one line of text, with the status of `estserver.est.reasons`."""

import logging
from typing import Any, cast

from django.db import Error as DatabaseError  # the base of InterfaceError too
from django.http import HttpResponse, UnreadablePostError
from rest_framework import exceptions as drf

from estserver.est import renderers
from estserver.est.middleware import ESTRequest
from estserver.est.reasons import HTTPReason, status_of
from pki.exceptions import Busy, PKIError
from pki.reasons import Reason

logger = logging.getLogger(__name__)

_SERVER_ERROR = 500


def exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponse:
    """Return the answer to an error that a view raised, and log it if it is the server's own."""
    request = cast(ESTRequest, context["request"]._request)
    refused = _as_refusal(error)
    if status_of(refused) >= _SERVER_ERROR:
        logger.error(
            "%s", refused, exc_info=error, extra={"fields": {"request_id": request.request_id}}
        )
    request.refused = refused
    return renderers.refusal(refused, request_id=request.request_id, headers=_allow(error, context))


def _as_refusal(error: Exception) -> PKIError:
    """Return what the client may read of ``error``, which is nothing for a bug."""
    if isinstance(error, PKIError) and status_of(error) != _SERVER_ERROR:
        return error
    if isinstance(error, DatabaseError):
        return Busy(Reason.DATABASE_UNAVAILABLE)
    if isinstance(error, UnreadablePostError):
        return PKIError(
            HTTPReason.BODY_EMPTY, "The connection ended before the body did. Send it again."
        )
    if isinstance(error, drf.UnsupportedMediaType):
        return PKIError(HTTPReason.MEDIA_TYPE_WRONG)
    if isinstance(error, drf.MethodNotAllowed):
        return PKIError(HTTPReason.METHOD_NOT_ALLOWED)
    return PKIError(HTTPReason.INTERNAL_ERROR)


def _allow(error: Exception, context: dict[str, Any]) -> dict[str, str]:
    """Return the header that a 405 must have (RFC 9110 15.5.6)."""
    if isinstance(error, drf.MethodNotAllowed):
        return {"Allow": ", ".join(context["view"].allowed_methods)}
    return {}
