"""Is the process up, and could it issue? No detail to strangers: the log and the admin have it."""

import logging

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse

from pki import prepared
from pki.exceptions import OperatorError, PKIError
from pki.signers import get_signer

logger = logging.getLogger(__name__)


def healthz(request: HttpRequest) -> HttpResponse:
    """200 while the process answers."""
    return _line("ok", 200)


def readyz(request: HttpRequest) -> HttpResponse:
    """200 when the database answers and the default profile's CA could sign, 503 otherwise."""
    try:
        authority = prepared.current().profile("").authority
        get_signer(authority.row.signer).check(authority.issuer)
    except (PKIError, OperatorError, DatabaseError) as error:
        logger.warning("not ready: %s", error)
        return _line("not ready", 503)
    return _line("ready", 200)


def _line(text: str, status: int) -> HttpResponse:
    body = text.encode() + b"\n"
    return HttpResponse(
        body,
        status=status,
        content_type="text/plain; charset=utf-8",
        headers={"Content-Length": str(len(body)), "Cache-Control": "no-store"},
    )
