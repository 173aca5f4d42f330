"""The middleware of the device side: a request's id, its caller, and its line in the log."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from estserver.est import renderers
from estserver.est.caller import Caller, EndpointNotAllowed, caller
from estserver.est.chunked import BODY_PROBLEM
from estserver.est.target import host_problem
from estserver.operations import logs
from estserver.operations.metrics import DATABASE_FAILURES, enrollment, one
from pki.exceptions import PKIError
from pki.models import IssuedCertificate
from pki.models.fields import new_identifier
from pki.reasons import Reason
from pki.record.snapshot import CASnapshot

_ENROLLING = ("/simpleenroll", "/simplereenroll")


class ESTRequest(HttpRequest):
    """A request with what the middleware and the views know about it."""

    request_id: str
    caller: Caller
    refused: PKIError | None
    issued: IssuedCertificate | None
    snapshot: CASnapshot
    """The CAs and profiles of this request, read once by the views that need them."""
    client_records: Sequence[IssuedCertificate] | None
    """What is on record of the caller's certificate, if a view has read it with the snapshot."""


class RequestMiddleware:
    """Give each request an id and a caller, and write one log line when it has been answered.

    The id is the gateway's or a new one. It leads from a device's refusal to the log and the
    admin, so a client must not choose it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: ESTRequest) -> HttpResponse:
        """Return the answer to a request, after logging it."""
        started = time.perf_counter()
        request.refused = request.issued = request.client_records = None
        response = self._refuse_at_the_door(request) or self.get_response(request)
        _log(request, response, time.perf_counter() - started)
        if request.method == "HEAD":
            # The headers stay as for GET, Content-Length too (RFC 9110 9.3.2).
            response.content = b""
        return response

    def _refuse_at_the_door(self, request: ESTRequest) -> HttpResponse | None:
        """Return the refusal of a request that no view may see, or None.

        It did not come through an EST domain, its Host is not this server's, or its body has no
        valid framing. Nothing of the body has been decoded then.
        """
        refused: PKIError | None = None
        try:
            request.caller = caller(request.environ)  # type: ignore[attr-defined]
        except EndpointNotAllowed as error:
            request.caller, refused = error.caller, error
        request.request_id = request.caller.request_id or new_identifier().hex
        if refused is None:
            problem = host_problem(request) or request.META.get(BODY_PROBLEM)
            refused = PKIError(problem) if problem else None
        if refused is None:
            return None
        request.refused = refused
        return renderers.refusal(refused, request_id=request.request_id)


def _log(request: ESTRequest, response: HttpResponse, seconds: float) -> None:
    """Write the log line of a request, without the CSR and without any header."""
    more: dict[str, Any] = {"client": request.caller.fingerprint or None}
    issued = request.issued
    if issued is not None:
        more |= {"thing": issued.common_name, "serial_number": issued.serial_number}
    if request.refused is not None:
        more |= {"reason": request.refused.reason.code, "why": request.refused.message}
    if settings.IS_LAMBDA and request.path.endswith(_ENROLLING):
        more |= enrollment(response.status_code, more.get("reason"))
    if settings.IS_LAMBDA and more.get("reason") == Reason.DATABASE_UNAVAILABLE.code:
        logs.requests.error(
            "the database does not answer", extra={"fields": one(DATABASE_FAILURES)}
        )
    logs.write_request_line(
        request_id=request.request_id,
        method=request.method,
        path=request.path,
        status=response.status_code,
        seconds=seconds,
        source_ip=request.caller.source_ip,
        **more,
    )
