"""The story of a device, from its first intent to its last revocation, as lines with times."""

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from iotprov.models import Provisioning
from pki.admin.display import chip, link, shortened, visible
from pki.devices.last_request import refusals_of
from pki.devices.record import DeviceRecord
from pki.models import AuditEvent, DenylistEntry, IssuedCertificate

MOST_LINES = 80


@dataclass(frozen=True, slots=True)
class Line:
    """One event of the story."""

    at: datetime.datetime
    mark: SafeString
    words: str


def timeline(
    device: DeviceRecord,
    rows: Sequence[Provisioning],
    *,
    with_trail: bool,
    with_denylist: bool,
) -> list[Line]:
    """Return the newest lines first.

    ``with_trail`` adds refusals, and ``with_denylist`` entries, for people who may see these.
    """
    lines = [line for row in device.certificates for line in _of_certificate(row)]
    lines += [line for row in rows for line in _of_provisioning(row)]
    if with_denylist:
        lines += [_of_entry(entry) for entry in device.denied_by]
    if with_trail:
        lines += [_of_refusal(event) for event in refusals_of(device.common_name)]
    return sorted(lines, key=lambda line: line.at, reverse=True)[:MOST_LINES]


def _of_certificate(row: IssuedCertificate) -> Iterator[Line]:
    serial = link(row, f"{row.serial_number[:10]}…")
    asked = "to enroll" if row.operation == IssuedCertificate.Operation.ENROLL else "to renew"
    yield Line(
        row.created_at,
        chip("Intent", "open"),
        format_html("The request {} was recorded as {}.", asked, serial),
    )
    if row.issued_at is not None:
        yield Line(row.issued_at, chip("Issued", "good"), format_html("{} was issued.", serial))
    if row.superseded_at is not None:
        yield Line(
            row.superseded_at, chip("Superseded", "past"), format_html("{} was replaced.", serial)
        )
    if row.revoked_at is not None:
        is_void = row.state == IssuedCertificate.State.VOID
        yield Line(
            row.revoked_at,
            chip("Void", "over") if is_void else chip("Revoked", "bad"),
            format_html("{} came to nothing.", serial)
            if is_void
            else format_html("{} was revoked ({}).", serial, visible(row.revocation_reason)),
        )
    if row.name_released_at is not None:
        yield Line(
            row.name_released_at,
            chip("Released", "past"),
            format_html("The name was released from the client that had enrolled {}.", serial),
        )
    is_valid = row.state in (IssuedCertificate.State.ISSUED, IssuedCertificate.State.SUPERSEDED)
    if is_valid and row.not_after <= timezone.now():
        yield Line(row.not_after, chip("Expired", "over"), format_html("{} expired.", serial))


def _of_provisioning(row: Provisioning) -> Iterator[Line]:
    what = link(row, f"AWS IoT at {row.target}")
    yield Line(
        row.created_at,
        chip("Waiting", "open"),
        format_html("{} is to learn of a certificate.", what),
    )
    if row.settled_at is not None:
        thing = f", attached to the thing {row.thing_name}" if row.thing_name else ""
        said = visible(f"{row.aws_status or 'nothing to do'}{thing}")
        yield Line(row.settled_at, chip("In AWS IoT", "good"), format_html("{}: {}.", what, said))


def _of_entry(entry: DenylistEntry) -> Line:
    return Line(
        entry.created_at,
        chip("Denied", "bad"),
        format_html("{}: {}", link(entry), visible(entry.reason)),
    )


def _of_refusal(event: AuditEvent) -> Line:
    who = event.actor.partition(":")[2]
    by = format_html(" Client: {}", shortened(visible(who), 12)) if who else ""
    return Line(
        event.at,
        chip("Refused", "bad"),
        format_html("{}{}", link(event, event.reason), by),
    )
