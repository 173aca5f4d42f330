"""The last thing that a device asked for, and what to do if it was refused."""

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pki.models import AuditEvent, IssuedCertificate
from pki.reasons import Reason

_REFUSED = "refuse-"
_MOST_EVENTS = 20
_ANSWERED = ("issue", "void")

_BY_CODE = {reason.code: reason for reason in Reason}


@dataclass(frozen=True, slots=True)
class LastRequest:
    """The newest event of a device's requests on the audit trail."""

    event: AuditEvent
    reason: Reason | None
    """Why it was refused; ``None`` if it was not, or for a code that only HTTP has."""

    @property
    def at(self) -> datetime.datetime:
        """When it was."""
        return self.event.at

    @property
    def is_refused(self) -> bool:
        """Whether the device got no certificate."""
        return self.event.action.startswith(_REFUSED)

    @property
    def sentence(self) -> str:
        """The sentence that the device got, or what was done."""
        if not self.is_refused:
            return (
                "A certificate was issued." if self.event.action == "issue" else "It became void."
            )
        return self.event.reason.partition(": ")[2] or self.event.reason


def last_request(common_name: str, certificates: Sequence[IssuedCertificate]) -> LastRequest | None:
    """Return the last request for a thing name, or by one of its certificates, if there is one.

    The trail has the first refusal of a minute for each client and reason, and counts the others.
    """
    events = [*_of_name(common_name), *_by_certificates(certificates), *_issued(certificates)]
    newest = max(events, key=lambda event: event.at, default=None)
    if newest is None:
        return None
    return LastRequest(newest, _BY_CODE.get(newest.reason.partition(": ")[0]))


def refusals_of(common_name: str) -> list[AuditEvent]:
    """Return the newest refusals of requests for a thing name."""
    return _of_name(common_name)


def _of_name(common_name: str) -> list[AuditEvent]:
    rows = AuditEvent.objects.filter(target=f"thing:{common_name}", action__startswith=_REFUSED)
    return _newest(rows.order_by("-at")[:_MOST_EVENTS])


def _by_certificates(certificates: Sequence[IssuedCertificate]) -> list[AuditEvent]:
    """Return refusals of the device's own certificate, which the trail has as its target."""
    prints = [row.fingerprint_sha256 for row in certificates if row.fingerprint_sha256]
    targets = [f"client:{fingerprint}" for fingerprint in prints]
    rows = AuditEvent.objects.filter(target__in=targets, action__startswith=_REFUSED)
    return _newest(rows.order_by("-at")[:_MOST_EVENTS]) if targets else []


def _issued(certificates: Sequence[IssuedCertificate]) -> list[AuditEvent]:
    targets = [f"certificate:{row.serial_number}" for row in certificates[:2]]
    rows = AuditEvent.objects.filter(target__in=targets, action__in=_ANSWERED)
    return _newest(rows.order_by("-at")[:_MOST_EVENTS]) if targets else []


def _newest(rows: Iterable[AuditEvent]) -> list[AuditEvent]:
    return list(rows)
