"""Answers to requests that reach no EST view."""

import logging
import sys

from django.http import HttpRequest, HttpResponse

from estserver.est import renderers
from pki.exceptions import PKIError
from pki.reasons import Reason

logger = logging.getLogger(__name__)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400: Django itself refused the request."""
    return _answer(request, PKIError(Reason.HOST_NOT_ALLOWED), 400)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404: no such path."""
    return _answer(request, PKIError(Reason.NOT_FOUND), 404)


def signer_unavailable(request: HttpRequest, error: Exception) -> HttpResponse:
    """503: the CA's key is out of reach for now; the log says why."""
    fields = {"request_id": getattr(request, "request_id", "-")}
    logger.error("%s", error, extra={"fields": fields})
    return _answer(request, PKIError(Reason.SIGNER_UNAVAILABLE), 503)


def server_error(request: HttpRequest) -> HttpResponse:
    """500: a bug. Its traceback is in the log, under the request's id."""
    fields = {"request_id": getattr(request, "request_id", "-")}
    logger.error("internal-error", exc_info=sys.exc_info(), extra={"fields": fields})
    return _answer(request, PKIError(Reason.INTERNAL_ERROR), 500)


def _answer(request: HttpRequest, refused: PKIError, status: int) -> HttpResponse:
    request.refused = refused  # type: ignore[attr-defined]
    request_id = getattr(request, "request_id", "-")
    return renderers.refusal(
        refused,
        status,
        request_id=request_id,
        headers=renderers.headers_for(refused.reason, status),
    )
