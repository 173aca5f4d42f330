"""Answers to requests that reach no EST view: Django's handlers, and the revocation lists'."""

import logging
import sys

from django.http import HttpRequest, HttpResponse

from estserver.est import renderers
from estserver.est.reasons import HTTPReason
from pki.exceptions import PKIError, SignerUnavailable
from pki.reasons import Reason

logger = logging.getLogger(__name__)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return the 400 for a request that Django itself refused."""
    return _answer(request, PKIError(HTTPReason.HOST_NOT_ALLOWED))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return the 404 for a path that no view has."""
    return _answer(request, PKIError(HTTPReason.NOT_FOUND))


def signer_unavailable(request: HttpRequest, error: Exception) -> HttpResponse:
    """Return the 503 for a CA's key that cannot be reached now; the log has the cause."""
    fields = {"request_id": getattr(request, "request_id", "-")}
    logger.error("%s", error, extra={"fields": fields})
    return _answer(request, SignerUnavailable(Reason.SIGNER_UNAVAILABLE))


def server_error(request: HttpRequest) -> HttpResponse:
    """Return the 500 for a bug, whose traceback is in the log under the request's id."""
    fields = {"request_id": getattr(request, "request_id", "-")}
    logger.error("internal-error", exc_info=sys.exc_info(), extra={"fields": fields})
    return _answer(request, PKIError(HTTPReason.INTERNAL_ERROR))


def _answer(request: HttpRequest, refused: PKIError) -> HttpResponse:
    request.refused = refused  # type: ignore[attr-defined]
    return renderers.refusal(refused, request_id=getattr(request, "request_id", "-"))
