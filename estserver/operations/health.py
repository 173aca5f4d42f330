"""Health pages: does the process answer, and could it issue? The log has the details."""

import logging
import time

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse

from estserver.operations import IS_DRAINING
from pki.exceptions import PKIError
from pki.operators.errors import OperatorError
from pki.record.snapshot import AuthoritySnapshot, current_snapshot

logger = logging.getLogger(__name__)

_checks: dict[str, tuple[float, str]] = {}
"""By a CA's fingerprint: until when the last check of its signer is used, and what it found."""


def forget() -> None:
    """Have the next request check the signer again."""
    _checks.clear()


def healthz(request: HttpRequest) -> HttpResponse:
    """Return 200 while the process answers."""
    return _line("ok", 200)


def readyz(request: HttpRequest) -> HttpResponse:
    """Return 200 if the database can be written and the default profile's CA can sign, else 503.

    A process that is about to stop is not ready. Nothing is written on Lambda, where a probe would
    keep a database awake that sleeps when idle.
    """
    if request.META.get(IS_DRAINING):
        logger.info("not ready: the server is about to stop")
        return _line("not ready", 503)
    try:
        problem = _problem_of_signer(current_snapshot().profile("").authority)
        if not problem and not settings.IS_LAMBDA:
            from pki.record.write_probe import write_problem  # not for a cold start

            problem = write_problem()
    except (PKIError, OperatorError, DatabaseError) as error:
        problem = str(error)
    if problem:
        logger.warning("not ready: %s", problem)
        return _line("not ready", 503)
    return _line("ready", 200)


def _problem_of_signer(authority: AuthoritySnapshot) -> str:
    """Return why the CA cannot sign, or "" if it can, from a check of the last few seconds."""
    fingerprint = authority.row.fingerprint_sha256
    until, problem = _checks.get(fingerprint, (0.0, ""))
    if time.monotonic() < until:
        return problem
    from pki.signers import (  # no other page needs it, so a cold start does without
        Signer,
        get_signer,
    )

    seconds = Signer.check_seconds
    try:
        signer = get_signer(authority.row.signer)
        seconds = signer.check_seconds
        signer.check(authority.issuer)
    except (PKIError, OperatorError) as error:
        problem = str(error)
    else:
        problem = ""
    _checks[fingerprint] = (time.monotonic() + seconds, problem)
    return problem


def _line(text: str, status: int) -> HttpResponse:
    body = text.encode() + b"\n"
    return HttpResponse(
        body,
        status=status,
        content_type="text/plain; charset=utf-8",
        headers={"Content-Length": str(len(body)), "Cache-Control": "no-store"},
    )
