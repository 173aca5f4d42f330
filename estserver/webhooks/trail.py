"""What rows of the audit trail mean as events."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from estserver.enrollment.refusal_counts import code_of
from estserver.enrollment.refusals import REPEATED
from estserver.webhooks.contents import (
    authority_data,
    certificate_data,
    certificate_of,
    certificates_of,
)
from estserver.webhooks.events import Event, EventType
from pki.models import AuditEvent, CertificateAuthority, IssuedCertificate

Operation = IssuedCertificate.Operation

_CA_ACTIONS: Final = {
    "create-ca": EventType.CA_CREATED,
    "import-ca": EventType.CA_CREATED,
    "succeed-ca": EventType.CA_CREATED,
    "retire-ca": EventType.CA_RETIRED,
    "distrust-ca": EventType.CA_DISTRUSTED,
}
_REFUSALS: Final = (*(f"refuse-{each}" for each in Operation.values), REPEATED)

ACTIONS: Final = ("issue", "revoke", *_CA_ACTIONS, *_REFUSALS)
"""The actions of the trail of which an event is made."""

_MINUTE: Final = datetime.timedelta(minutes=1)


def events_in(rows: Sequence[AuditEvent]) -> list[Event]:
    """Return an event for each row that is one by itself. Refusals are not (`Refusals`)."""
    certificates = certificates_of(rows)
    names = {row.target.removeprefix("ca:") for row in rows if row.action in _CA_ACTIONS}
    authorities = _authorities(names) if names else {}
    found = []
    for row in sorted(rows, key=lambda row: row.at):
        if row.action in _CA_ACTIONS:
            found.append(_of_authority(row, authorities))
        elif row.action in ("issue", "revoke"):
            found.append(_of_certificate(row, certificate_of(row, certificates)))
    return found


def _authorities(names: set[str]) -> dict[str, CertificateAuthority]:
    rows = CertificateAuthority.objects.filter(name__in=names)
    return {row.name: row for row in rows.defer("pem", "chain_pem", "cross_pem")}


def _of_authority(row: AuditEvent, among: Mapping[str, CertificateAuthority]) -> Event:
    name = row.target.removeprefix("ca:")
    ca = among.get(name)
    data = {"ca": name, **(authority_data(ca) if ca else {})}
    data |= {"by": row.actor, "reason": row.reason}
    successor_of = (row.after or {}).get("successor_of")
    if successor_of:
        data["succeeds"] = successor_of
    return Event(row.pk.hex, _CA_ACTIONS[row.action], row.at, data)


def _of_certificate(row: AuditEvent, certificate: IssuedCertificate | None) -> Event:
    data: dict[str, Any] = {"serial_number": row.target.removeprefix("certificate:")}
    if certificate is not None:
        data = certificate_data(certificate)
    if row.action == "revoke":
        reason, _, comment = row.reason.partition(": ")
        data |= {"revocation_reason": reason, "comment": comment, "by": row.actor}
        return Event(row.pk.hex, EventType.REVOKED, row.at, data)
    renewed = certificate is not None and certificate.operation == Operation.REENROLL
    return Event(row.pk.hex, EventType.RENEWED if renewed else EventType.ISSUED, row.at, data)


@dataclass(slots=True)
class _Counted:
    """The refusals of one reason within one minute."""

    first: AuditEvent
    count: int = 0


class Refusals:
    """Refusals, counted by reason and minute. A client in a loop would be an event each time."""

    def __init__(self, start: datetime.datetime) -> None:
        """Count what comes after ``start``. The minute that it is in was told before."""
        self._start = start
        self._counted: dict[tuple[datetime.datetime, str], _Counted] = {}

    def add(self, row: AuditEvent) -> None:
        """Count a row of the trail if it is a refusal."""
        if row.action not in _REFUSALS:
            return
        minute = row.at.replace(second=0, microsecond=0)
        counted = self._counted.setdefault((minute, code_of(row.reason)), _Counted(row))
        counted.first = min(counted.first, row, key=lambda each: each.at)
        counted.count += int((row.after or {}).get("count", 1)) if row.action == REPEATED else 1

    def events(self, *, until: datetime.datetime) -> list[Event]:
        """Return one for each reason and whole minute that ended a minute before ``until``.

        Until then, rows of that minute may still be committed.
        """
        return [
            Event(
                f"refused:{minute:%Y%m%d%H%M}:{code}",
                EventType.REFUSED,
                counted.first.at,
                {
                    "reason": code,
                    "sentence": counted.first.reason.partition(": ")[2],
                    "count": counted.count,
                    "first_request_id": counted.first.request_id,
                    "first_client": counted.first.actor,
                    "first_target": counted.first.target,
                },
            )
            for (minute, code), counted in self._counted.items()
            if minute >= self._start and minute + 2 * _MINUTE <= until
        ]
