"""Every answer that is no success: a problem document (RFC 9457) with a reason code."""

import json
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from django.core.exceptions import RequestDataTooBig
from django.db import Error as DatabaseError
from django.db import InterfaceError, InternalError, OperationalError
from django.http import Http404, HttpResponse, HttpResponseBase, UnreadablePostError
from rest_framework import exceptions as drf

from estserver.api.reasons import APIReason
from estserver.est.reasons import status_of
from pki.exceptions import Busy, PKIError
from pki.operators.errors import OperatorError, remote_failure
from pki.reasons import Reason, ReasonCode
from pki.record.transactions import is_conflict

logger = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
RETRY_SECONDS: Final = "1"
REQUEST_ID: Final = "X-Request-Id"


class APIRefusal(Exception):
    """A refusal with a reason code, a sentence, and what else the problem document has."""

    def __init__(
        self,
        reason: ReasonCode,
        detail: str = "",
        *,
        status: HTTPStatus | None = None,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        own = reason.status if isinstance(reason, APIReason) else HTTPStatus.CONFLICT
        self.reason = reason
        self.detail = detail or f"{reason.meaning} {reason.advice}"
        self.status = status or own
        self.headers = dict(headers or {})
        self.more = more
        super().__init__(self.detail)

    def as_response(self, request_id: str) -> HttpResponse:
        """Return the problem document. ``code``, ``request_id`` and more are extensions (3.2)."""
        said = {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": self.status.value,
            "detail": self.detail,
            "code": self.reason.code,
            "request_id": request_id,
            **self.more,
        }
        return HttpResponse(
            json.dumps(said), status=self.status, content_type=MEDIA_TYPE, headers=self.headers
        )


def with_request_id(response: HttpResponse, request_id: str) -> HttpResponse:
    """Add the request's id to an answer. No answer is kept by anyone on the way."""
    response.headers[REQUEST_ID] = request_id
    response.headers["Cache-Control"] = "no-store"
    return response


class EarlierAnswer(Exception):
    """A repeated request, which gets the answer that the first one got."""

    def __init__(self, response: HttpResponse) -> None:
        self.response = response
        super().__init__("a repeated request")


def exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponseBase:
    """Return the answer to what a view raised. Anything that is not known here is a bug: 500."""
    if isinstance(error, EarlierAnswer):
        return error.response
    request_id: str = context["view"].request_id
    refused = as_refusal(error)
    if refused.reason is APIReason.INTERNAL_ERROR:
        fields = {"fields": {"request_id": request_id}}
        logger.error("a call of the API failed", exc_info=error, extra=fields)
    return refused.as_response(request_id)


def as_refusal(error: Exception) -> APIRefusal:
    """Return what the client may read of ``error``, which is nothing for a bug."""
    if isinstance(error, APIRefusal):
        return error
    if isinstance(error, OperatorError):
        return _of_operator_error(error)
    if isinstance(error, DatabaseError) and (
        isinstance(error, _OUT_OF_ORDER) or is_conflict(error)
    ):
        return as_refusal(Busy(Reason.DATABASE_UNAVAILABLE))
    if isinstance(error, PKIError):
        headers = {"Retry-After": RETRY_SECONDS} if isinstance(error, Busy) else {}
        return APIRefusal(error.reason, error.message, status=status_of(error), headers=headers)
    if isinstance(error, drf.ValidationError):
        return APIRefusal(APIReason.INPUT_INVALID, errors=field_errors(error.detail))
    if isinstance(error, drf.Throttled):
        seconds = str(int(getattr(error, "wait", None) or 0) + 1)
        return APIRefusal(APIReason.TOO_MANY_REQUESTS, headers={"Retry-After": seconds})
    for kinds, reason in _BY_ERROR:
        if isinstance(error, kinds):
            return APIRefusal(reason)
    return APIRefusal(APIReason.INTERNAL_ERROR)


def _of_operator_error(error: OperatorError) -> APIRefusal:
    failure = remote_failure(error)
    if failure is None:
        return APIRefusal(APIReason.REFUSED, str(error))
    headers = {"Retry-After": RETRY_SECONDS} if failure.is_transient else {}
    return APIRefusal(
        APIReason.REMOTE_FAILURE,
        str(error),
        headers=headers,
        call=failure.call,
        aws_code=failure.code,
    )


def field_errors(detail: Any, where: str = "") -> list[dict[str, str]]:
    """Return REST framework's errors as a list, each with the path of its field."""
    if isinstance(detail, Mapping):
        return [
            each
            for name, inner in detail.items()
            for each in field_errors(inner, _joined(where, str(name)))
        ]
    if isinstance(detail, Sequence) and not isinstance(detail, str):
        return [each for inner in detail for each in field_errors(inner, where)]
    return [{"field": where, "message": str(detail)}]


def _joined(where: str, name: str) -> str:
    if name == "non_field_errors":
        return where
    return f"{where}.{name}" if where else name


# The database cannot work now. Any other error of it, but a conflict, is a bug.
_OUT_OF_ORDER = (OperationalError, InternalError, InterfaceError)

_BY_ERROR: Final[tuple[tuple[tuple[type[Exception], ...], APIReason], ...]] = (
    ((drf.NotAuthenticated, drf.AuthenticationFailed), APIReason.TOKEN_REFUSED),
    ((drf.PermissionDenied,), APIReason.PERMISSION_MISSING),
    ((drf.MethodNotAllowed,), APIReason.METHOD_NOT_ALLOWED),
    ((Http404, drf.NotFound), APIReason.NOT_FOUND),
    ((drf.ParseError, UnreadablePostError), APIReason.BODY_NOT_JSON),
    ((drf.UnsupportedMediaType,), APIReason.MEDIA_TYPE_WRONG),
    ((RequestDataTooBig,), APIReason.BODY_TOO_LARGE),
)
