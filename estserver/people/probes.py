"""The admin's health pages for probes, which ask by address."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from estserver.operations.health import healthz, readyz

PAGES = {"/healthz": healthz, "/readyz": readyz}


class ProbeMiddleware:
    """Middleware that answers the health pages whatever the Host header says.

    Kubelets and load balancers put an address into it. Every other page refuses a foreign host, and
    so do the health pages on Lambda, where no such probe can reach them.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the health pages here, and leave the rest to what follows."""
        page = PAGES.get(request.path)
        if page is None or "lambda.event" in request.META:
            return self.get_response(request)
        return page(request)
