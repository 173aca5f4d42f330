"""The admin's pages for probes and for Prometheus, which ask by address."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from estserver.operations.health import healthz, readyz
from estserver.operations.metrics_page import PATH, metrics

PAGES = {"/healthz": healthz, "/readyz": readyz, PATH: metrics}


class ProbeMiddleware:
    """Middleware that answers these pages whatever the Host header says.

    Kubelets, load balancers and Prometheus put an address into it. The metrics ask for a token.
    Every other page refuses a foreign host, and so do the health pages on Lambda, where no such
    probe can reach them.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer these pages here, and leave the rest to what follows."""
        page = PAGES.get(request.path)
        if page is None or "lambda.event" in request.META:
            return self.get_response(request)
        return page(request)
