"""The page that Prometheus scrapes, on the admin of a server of one's own and behind a token.

On Lambda it answers 404: CloudWatch has the metrics there (``estserver.operations.gauges``).
"""

import hashlib
import hmac
import logging
import os
from pathlib import Path
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string

from estserver.operations.prometheus import CONTENT_TYPE, exposition

logger = logging.getLogger(__name__)

PATH: Final = "/metrics"
VARIABLE: Final = "EST_METRICS_TOKEN"
MINIMUM: Final = 32
"""Characters of a token. ``openssl rand -hex 32`` makes 64."""

_NUMBERS: Final = "estserver.console.overview.exposition.families"
"""What returns the numbers. They are the overview's, which stands above this room."""


def metrics(request: HttpRequest) -> HttpResponse:
    """Return the numbers to a client that has the token; 401 without it, 404 if there is none."""
    token = _token()
    if request.method not in ("GET", "HEAD") or settings.IS_LAMBDA or not token:
        return _refusal("There is no such page.", 404)
    if not _has(request, token):
        answer = _refusal("Send the token of this page: Authorization: Bearer TOKEN.", 401)
        answer["WWW-Authenticate"] = 'Bearer realm="metrics"'
        return answer
    text = exposition(import_string(_NUMBERS)())
    return HttpResponse(text, content_type=CONTENT_TYPE, headers={"Cache-Control": "no-store"})


def _token() -> str:
    """Return the token, read anew so that it can be replaced while the server runs, or ""."""
    token = os.environ.get(VARIABLE, "").strip()
    where, path = VARIABLE, settings.CONFIG.properties.metrics_token_path
    if not token and path:
        where = f"metricsTokenPath ({path})"
        try:
            token = Path(settings.CONFIG.resolve(path)).read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            logger.warning("no metrics, because %s cannot be read: %s", where, error)
            return ""
    if token and len(token) < MINIMUM:
        logger.warning("no metrics, because %s has less than %d characters", where, MINIMUM)
        return ""
    return token


def _has(request: HttpRequest, token: str) -> bool:
    """Return whether the request has the token. The time tells nothing of it, nor of its length."""
    scheme, _, given = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    is_equal = hmac.compare_digest(_digest(given.strip()), _digest(token))
    return is_equal and scheme.lower() == "bearer"  # RFC 9110 11.1: in any letter case


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def _refusal(text: str, status: int) -> HttpResponse:
    return HttpResponse(
        f"{text}\n",
        status=status,
        content_type="text/plain; charset=utf-8",
        headers={"Cache-Control": "no-store"},
    )
