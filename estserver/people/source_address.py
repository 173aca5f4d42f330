"""Where an operator's request comes from, for the audit trail."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse


class SourceAddressMiddleware:
    """Puts API Gateway's word for the caller's address in place of Zappa's.

    Zappa takes the last but one entry of X-Forwarded-For, as suits CloudFront. Before a Regional
    API that entry is the client's own invention.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, with ``REMOTE_ADDR`` as the event says; without an event it is the socket's."""
        event = request.META.get("lambda.event")
        if event is not None:
            identity = (event.get("requestContext") or {}).get("identity") or {}
            request.META["REMOTE_ADDR"] = str(identity.get("sourceIp") or "")
        return self.get_response(request)
