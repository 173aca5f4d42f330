"""Which host a request is for, and whether this server is that host (RFC 9112 3.2, 3.3)."""

from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest

from estserver.est.reasons import HTTPReason

PROBE_PATHS = frozenset({"/healthz", "/readyz"})
"""Kubelets and load balancers ask for these by address. The pages say nothing worth guarding."""


def host_problem(request: HttpRequest) -> HTTPReason | None:
    """Return why the request is not for this server, or None if it is.

    The host of a target in absolute form takes the place of the header (RFC 9112 3.2.2). HTTP/1.0
    needs no Host. On Lambda, the event's domain has been checked before, and the header is checked
    on every path.
    """
    environ: dict[str, Any] = request.META
    is_event = "lambda.event" in environ or "apig_wsgi.full_event" in environ
    if not is_event and "HTTP_HOST" not in environ and environ["SERVER_PROTOCOL"] != "HTTP/1.0":
        return HTTPReason.HOST_MISSING
    authority = _authority(environ.get("RAW_URI", ""))
    if authority is not None:
        environ["HTTP_HOST"] = authority
    elif not is_event and ("HTTP_HOST" not in environ or request.path in PROBE_PATHS):
        return None
    try:
        request.get_host()
    except DisallowedHost:
        return HTTPReason.HOST_NOT_ALLOWED
    return None


def _authority(target: str) -> str | None:
    """Return the host and port in a target of absolute form, or None for another form."""
    if target.startswith("/") or "://" not in target:
        return None
    try:
        return urlsplit(target).netloc
    except ValueError:
        return ""  # no host's name, so no host of this server
