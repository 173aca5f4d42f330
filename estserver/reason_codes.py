"""Writes the reference of reason codes from the enum, with the HTTP status of each."""

from http import HTTPStatus
from itertools import groupby

from estserver.config import PROJECT_ROOT
from estserver.est.exceptions import status_of
from pki.exceptions import (
    AuthorityUnavailable,
    Busy,
    ClientRefused,
    CSRRejected,
    DeviceDenied,
    EnrollmentRefused,
    PKIError,
    SignerRefused,
    SignerUnavailable,
)
from pki.reasons import Reason

REFERENCE_FILE = PROJECT_ROOT / "docs" / "reason-codes.md"

_INTRODUCTION = """\
# Reason codes

<!-- Written by: manage.py reason_codes --write -->

When the server says no, it says why in one line of text: a stable code, a sentence, and the id of
the request, by which the log and the audit trail are searched.

    403 Forbidden
    Content-Type: text/plain; charset=utf-8

    name-bound-to-another: another client certificate enrolled the thing name 'sensor-1' first ...

A code keeps its meaning for good, so programs may compare it; the sentence may change. With 503 the
same request may come again, after the seconds in `Retry-After`; with any other status something
has to change first.
"""

_BY_ERROR: dict[type[PKIError], frozenset[Reason]] = {
    ClientRefused: frozenset(
        reason for reason in Reason if reason.code.startswith("client-certificate-")
    )
    | {Reason.ENDPOINT_NOT_ALLOWED},
    DeviceDenied: frozenset({Reason.CLIENT_DENIED, Reason.DEVICE_DENIED}),
    EnrollmentRefused: frozenset(
        {
            Reason.KEY_IN_USE,
            Reason.KEY_REUSE_REFUSED,
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
    SignerRefused: frozenset({Reason.SIGNER_REFUSED}),
    SignerUnavailable: frozenset(
        {Reason.SIGNER_UNAVAILABLE, Reason.SIGNER_MISBEHAVED, Reason.HOOK_FAILED}
    ),
    AuthorityUnavailable: frozenset({Reason.CA_UNAVAILABLE, Reason.LABEL_UNKNOWN}),
    Busy: frozenset({Reason.DATABASE_UNAVAILABLE}),
}
"""Which error carries a reason. What isn't here is ``CSRRejected``'s, or HTTP's own (below)."""

_BY_HTTP = {
    Reason.MEDIA_TYPE_WRONG: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    Reason.METHOD_NOT_ALLOWED: HTTPStatus.METHOD_NOT_ALLOWED,
    Reason.HOST_NOT_ALLOWED: HTTPStatus.BAD_REQUEST,
    Reason.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Reason.NOT_IMPLEMENTED: HTTPStatus.NOT_IMPLEMENTED,
    Reason.INTERNAL_ERROR: HTTPStatus.INTERNAL_SERVER_ERROR,
}


def http_status(reason: Reason) -> HTTPStatus:
    """The HTTP status that comes with a reason."""
    if reason in _BY_HTTP:
        return _BY_HTTP[reason]
    error = next((error for error, reasons in _BY_ERROR.items() if reason in reasons), CSRRejected)
    return HTTPStatus(status_of(error(reason)) or HTTPStatus.INTERNAL_SERVER_ERROR)


def _phrase(status: HTTPStatus) -> str:
    """As RFC 9110 15 has it; Python 3.11 still has the older words for 413."""
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return "Content Too Large"
    return status.phrase


def reason_codes() -> str:
    """The reference, in Markdown: by status, each code a heading and so an anchor."""
    parts = [_INTRODUCTION]
    by_status = sorted(Reason, key=http_status)  # stable: the enum's order within a status
    for status, reasons in groupby(by_status, key=http_status):
        parts.append(f"\n## {status.value} {_phrase(status)}\n")
        for reason in reasons:
            parts.append(f"\n### {reason.code}\n\n{reason.meaning} {reason.advice}\n")
    return "".join(parts)
