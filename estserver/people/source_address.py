"""The address from which an operator's request comes, for the audit trail."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse


class SourceAddressMiddleware:
    """Middleware that takes the caller's address from API Gateway instead of from Zappa.

    Zappa takes the last but one entry of X-Forwarded-For, which is right behind CloudFront. Behind
    a Regional API, the client can write that entry.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer with ``REMOTE_ADDR`` from the event, or from the socket if there is no event."""
        event = request.META.get("lambda.event")
        if event is not None:
            identity = (event.get("requestContext") or {}).get("identity") or {}
            request.META["REMOTE_ADDR"] = str(identity.get("sourceIp") or "")
        return self.get_response(request)
