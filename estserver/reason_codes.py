"""The reference of reason codes (docs/reason-codes.md), each with its HTTP status."""

from http import HTTPStatus
from itertools import groupby

from estserver.config import PROJECT_ROOT
from estserver.est.reasons import HTTPReason, status_of
from pki.exceptions import (
    AuthorityUnavailable,
    Busy,
    ClientRefused,
    CSRRejected,
    DeviceDenied,
    EnrollmentRefused,
    PKIError,
    QuotaExceeded,
    SignerRefused,
    SignerUnavailable,
)
from pki.reasons import Reason, ReasonCode

REFERENCE_FILE = PROJECT_ROOT / "docs" / "reason-codes.md"

_INTRODUCTION = """\
# Reason codes

<!-- Written by: manage.py reason_codes --write -->

A refusal is one line of text: a stable code, what is wrong and what to do, and the id of the
request, which finds it in the log and on the audit trail.

    403 Forbidden
    Content-Type: text/plain; charset=utf-8

    name-bound-to-another: Another client certificate enrolled the thing name 'sensor-1' first. ...

A code keeps its meaning, so programs may compare it. The sentences may change. After a 429, 500 or
503, send the same request again when the seconds in `Retry-After` have passed. After any other
status, change something first.
"""

_BY_ERROR: dict[type[PKIError], frozenset[Reason]] = {
    ClientRefused: frozenset(
        reason for reason in Reason if reason.code.startswith("client-certificate-")
    )
    | {Reason.CA_DISTRUSTED},
    DeviceDenied: frozenset({Reason.CLIENT_DENIED, Reason.DEVICE_DENIED}),
    EnrollmentRefused: frozenset(
        {
            Reason.KEY_IN_USE,
            Reason.KEY_REUSE_REFUSED,
            Reason.CLIENT_CA_NOT_ACCEPTED,
            Reason.DEVICE_OF_ANOTHER_PROFILE,
            Reason.NAME_NOT_YOURS,
            Reason.NAME_BOUND_TO_ANOTHER,
            Reason.NOTHING_TO_RENEW,
            Reason.SUBJECT_CHANGED,
            Reason.SAN_CHANGED,
            Reason.CHANGE_SUBJECT_NAME_REFUSED,
            Reason.REENROLL_TOO_EARLY,
            Reason.REENROLL_NEEDS_DEVICE_CERTIFICATE,
            Reason.HOOK_REFUSED,
        }
    ),
    QuotaExceeded: frozenset({Reason.TOO_MANY_NEW_NAMES, Reason.NO_MORE_NEW_NAMES}),
    SignerRefused: frozenset({Reason.SIGNER_REFUSED}),
    SignerUnavailable: frozenset(
        {Reason.SIGNER_UNAVAILABLE, Reason.SIGNER_MISBEHAVED, Reason.HOOK_FAILED}
    ),
    AuthorityUnavailable: frozenset(
        {Reason.CA_UNAVAILABLE, Reason.LABEL_CA_DISTRUSTED, Reason.LABEL_UNKNOWN}
    ),
    Busy: frozenset({Reason.DATABASE_UNAVAILABLE}),
}
"""Which error carries a reason. `CSRRejected` carries those of `Reason` that are missing here."""


def every_reason() -> list[ReasonCode]:
    """Return all reasons, in the order in which a request meets them: HTTP first, then the CA."""
    return [*HTTPReason, *Reason]


def http_status(reason: ReasonCode) -> HTTPStatus:
    """Return the HTTP status that comes with a reason."""
    if isinstance(reason, HTTPReason):
        return reason.status
    error = next((error for error, reasons in _BY_ERROR.items() if reason in reasons), CSRRejected)
    return status_of(error(reason))


def _phrase(status: HTTPStatus) -> str:
    """Return the status's phrase as RFC 9110 15 has it; Python 3.11 has an older one for 413."""
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return "Content Too Large"
    return status.phrase


def reason_codes() -> str:
    """Return the reference in Markdown: by status, with a heading (an anchor) for each code."""
    parts = [_INTRODUCTION]
    by_status = sorted(every_reason(), key=http_status)  # stable: keeps the order within a status
    for status, reasons in groupby(by_status, key=http_status):
        parts.append(f"\n## {status.value} {_phrase(status)}\n")
        for reason in reasons:
            parts.append(f"\n### {reason.code}\n\n{reason.meaning} {reason.advice}\n")
    return "".join(parts)
