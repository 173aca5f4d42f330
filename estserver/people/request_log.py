"""The admin's middleware that gives each request an id, and its line in the log."""

import logging
import time
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.functional import LazyObject, empty

from estserver.operations.logs import write_request_line
from pki.admin.operations import admin_actor
from pki.models.fields import new_identifier

logger = logging.getLogger(__name__)

_SERVER_ERROR = 500


class RequestLogMiddleware:
    """Middleware that writes the line that the device side writes, with the person who asked.

    The id is API Gateway's or a new one, never the client's. It is ``request.request_id``, and
    stands on the audit trail beside what the request changed.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Return the answer to a request, after logging it."""
        started = time.perf_counter()
        asked: Any = request
        asked.request_id = _gateway_id(request) or new_identifier().hex
        asked.failure = None
        response = self.get_response(request)
        if asked.failure is not None and response.status_code >= _SERVER_ERROR:
            fields = {"request_id": asked.request_id}
            logger.error("a page failed", exc_info=asked.failure, extra={"fields": fields})
        write_request_line(
            request_id=asked.request_id,
            method=request.method,
            path=request.path,
            status=response.status_code,
            seconds=time.perf_counter() - started,
            source_ip=request.META.get("REMOTE_ADDR") or None,
            actor=_actor(request),
        )
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> None:
        """Keep what a view raised and no other middleware answered. Django's own line is off."""
        asked: Any = request
        asked.failure = error


def _gateway_id(request: HttpRequest) -> str:
    event = request.META.get("lambda.event") or {}
    return str((event.get("requestContext") or {}).get("requestId") or "")[:36]


def _actor(request: HttpRequest) -> str | None:
    """Return the person as the audit trail names them, or None.

    A session that nothing has read is not read for the log line, because that asks the database.
    """
    user = vars(request).get("user")
    if user is None or (isinstance(user, LazyObject) and user._wrapped is empty):
        return None
    if not user.is_authenticated:
        return None
    # A program's token says more than the person whose it is.
    return getattr(user, "actor_name", None) or admin_actor(request).name
