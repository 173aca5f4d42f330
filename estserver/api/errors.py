"""What a program is told when a request under ``/api/`` fails before a view of the API has it.

Django's handlers lead here, for pages of the console too. What makes problem documents is imported
when one is made, so that a start without a call of the API does not load REST framework.
"""

from typing import TYPE_CHECKING, Any, Final

from django.http import HttpRequest, HttpResponse

from estserver.console import errors as pages
from pki.models.fields import new_identifier

if TYPE_CHECKING:
    from estserver.api.reasons import APIReason

PREFIX: Final = "/api/"


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer 400, such as for a Host header that the configuration does not allow."""
    if not request.path.startswith(PREFIX):
        return pages.bad_request(request, exception)
    from estserver.api.reasons import APIReason

    return _problem(request, APIReason.REQUEST_WRONG)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer 404, for an address outside of ``/api/v1/``."""
    if not request.path.startswith(PREFIX):
        return pages.not_found(request, exception)
    from estserver.api.reasons import APIReason

    return _problem(request, APIReason.NOT_FOUND)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500. The log has the cause."""
    if not request.path.startswith(PREFIX):
        return pages.server_error(request)
    from estserver.api.reasons import APIReason

    return _problem(request, APIReason.INTERNAL_ERROR)


def _problem(request: Any, reason: "APIReason") -> HttpResponse:
    from estserver.api.problems import APIRefusal, with_request_id

    request_id = getattr(request, "request_id", None) or new_identifier().hex
    return with_request_id(APIRefusal(reason).as_response(request_id), request_id)
