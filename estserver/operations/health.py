"""Is the process up, and could it issue? No detail to strangers: the log and the admin have it."""

import logging
import time

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse

from pki.exceptions import PKIError
from pki.operators.errors import OperatorError
from pki.record.snapshot import AuthoritySnapshot, current_snapshot

logger = logging.getLogger(__name__)

REMEMBERED = 10.0
"""Seconds that a look at the signer counts: the page is open to strangers, and a signer may be a
service that is paid by the call."""

_looks: dict[str, tuple[float, str]] = {}
"""By CA: when the signer was looked at, and what was wrong with it."""


def forget() -> None:
    """Look at the signer again at the next question."""
    _looks.clear()


def healthz(request: HttpRequest) -> HttpResponse:
    """200 while the process answers."""
    return _line("ok", 200)


def readyz(request: HttpRequest) -> HttpResponse:
    """200 when the database answers and the default profile's CA could sign, 503 otherwise."""
    try:
        problem = _problem_of_signer(current_snapshot().profile("").authority)
    except (PKIError, OperatorError, DatabaseError) as error:
        problem = str(error)
    if problem:
        logger.warning("not ready: %s", problem)
        return _line("not ready", 503)
    return _line("ready", 200)


def _problem_of_signer(authority: AuthoritySnapshot) -> str:
    """Why the CA can't sign, as of a few seconds ago; "" when it can."""
    name = authority.row.fingerprint_sha256
    looked_at, problem = _looks.get(name, (-REMEMBERED, ""))
    if time.monotonic() - looked_at < REMEMBERED:
        return problem
    from pki.signers import get_signer  # only this question needs it: not at a cold start

    try:
        get_signer(authority.row.signer).check(authority.issuer)
    except (PKIError, OperatorError) as error:
        problem = str(error)
    else:
        problem = ""
    _looks[name] = (time.monotonic(), problem)
    return problem


def _line(text: str, status: int) -> HttpResponse:
    body = text.encode() + b"\n"
    return HttpResponse(
        body,
        status=status,
        content_type="text/plain; charset=utf-8",
        headers={"Content-Length": str(len(body)), "Cache-Control": "no-store"},
    )
