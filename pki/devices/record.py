"""Everything on record of one device: its certificates, who holds its name, its last request."""

import datetime
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from pki.csr.thing_names import fold_name
from pki.denylist.entries import entries_naming
from pki.denylist.identifiers import RequestIdentifiers
from pki.devices.last_request import LastRequest, last_request
from pki.devices.states import DeviceState, name_conflicts, renewal_due_at, state_of
from pki.issuance.quotas import HOUR
from pki.models import CertificateProfile, DenylistEntry, IssuedCertificate

MOST_CERTIFICATES = 50
"""Certificates of one name that are read, newest first. A weekly renewal makes them in a year."""

MOST_COUNTED = 10_000
"""Names of a client that are counted."""

_State = IssuedCertificate.State


@dataclass(frozen=True, slots=True)
class Holder:
    """The client that holds a thing name, and how many new names it took."""

    fingerprint: str
    subject: str
    is_reserved: bool
    """Whether an operator gave the name to it, and it was not the client that enrolled it."""
    record: IssuedCertificate | None
    """Its own certificate, if it was made here."""
    names_within_hour: int
    names_ever: int
    """At most ``MOST_COUNTED``."""
    profile: CertificateProfile | None
    """The profile in force whose quotas are compared."""


@dataclass(frozen=True, slots=True)
class DeviceRecord:
    """What is on record of one thing name."""

    common_name: str
    state: DeviceState
    certificates: tuple[IssuedCertificate, ...]
    """Newest first, without the columns with DER."""
    current: IssuedCertificate | None
    """The newest one that is issued, neither superseded nor expired."""
    renewal_due_at: datetime.datetime | None
    """When the renewal of ``current`` is due."""
    owner: IssuedCertificate | None
    """The row that says who holds the name; ``None`` if it is free."""
    holder: Holder | None
    denied_by: tuple[DenylistEntry, ...]
    """The entries in force that name the device, or a renewal by the client that enrolled it."""
    last_request: LastRequest | None

    @property
    def newest(self) -> IssuedCertificate | None:
        """The newest row, in whatever state."""
        return self.certificates[0] if self.certificates else None

    @property
    def certificate_id(self) -> str:
        """The SHA-256 of the current certificate, or of the newest one; "" for none.

        It is the certificate's ID in AWS IoT.
        """
        rows = [self.current, *self.certificates]
        return next((row.fingerprint_sha256 for row in rows if row and row.fingerprint_sha256), "")

    @property
    def device_serials(self) -> tuple[str, ...]:
        """The serial numbers that its certificates have, newest first."""
        return tuple(
            dict.fromkeys(row.device_serial for row in self.certificates if row.device_serial)
        )


def device_record(common_name: str) -> DeviceRecord | None:
    """Return what is on record of a thing name in any letter case, or ``None`` if nothing is.

    A client's own certificate, made by command, is of no thing. A name that was only refused or
    denied has a record as well, of that.
    """
    now = timezone.now()
    folded = fold_name(common_name)
    rows = (
        IssuedCertificate.objects.filter(name_folded=folded)
        .exclude(operation=IssuedCertificate.Operation.CLIENT)
        .select_related("profile", "ca")
        .defer("der", "csr_der")
    )
    certificates = tuple(rows.order_by("-id")[:MOST_CERTIFICATES])
    owner = next((row for row in certificates if row.name_owner), None)
    if owner is None and len(certificates) == MOST_CERTIFICATES:
        owner = rows.filter(name_owner=folded).first()
    name = next((row.common_name for row in (owner, *certificates) if row is not None), common_name)
    current = _current(certificates, now)
    denied_by = _entries(name, owner, current)
    last = last_request(name, certificates)
    if not certificates and not denied_by and last is None:
        return None
    conflicts = name_conflicts(now)
    return DeviceRecord(
        common_name=name,
        state=state_of(
            current=current,
            newest=next((row for row in certificates if row.state == _State.ISSUED), None),
            owner=owner,
            is_denied=bool(denied_by),
            is_conflicting=folded in conflicts,
            at=now,
        ),
        certificates=certificates,
        current=current,
        renewal_due_at=renewal_due_at(current) if current is not None else None,
        owner=owner,
        holder=_holder(owner, now) if owner is not None else None,
        denied_by=denied_by,
        last_request=last,
    )


def _current(
    certificates: tuple[IssuedCertificate, ...], now: datetime.datetime
) -> IssuedCertificate | None:
    valid = [row for row in certificates if row.state == _State.ISSUED and row.not_after > now]
    return max(valid, key=lambda row: row.not_after, default=None)


def _entries(
    name: str, owner: IssuedCertificate | None, current: IssuedCertificate | None
) -> tuple[DenylistEntry, ...]:
    """Return the entries that name the device itself, or what its client would ask for."""
    requests = [RequestIdentifiers(name)]
    for row in filter(None, (owner, current)):
        requests += [RequestIdentifiers.of_device(row), RequestIdentifiers.of_renewal(row)]
    found = {entry.pk: entry for request in requests for entry in entries_naming(request)}
    return tuple(found.values())


def _holder(owner: IssuedCertificate, now: datetime.datetime) -> Holder:
    fingerprint = owner.holder_fingerprint or owner.client_fingerprint
    signed = owner.holder_signed_sha256 or owner.client_signed_sha256
    record = None
    if fingerprint:
        record = (
            IssuedCertificate.objects.filter(fingerprint_sha256=fingerprint)
            .defer("der", "csr_der")
            .first()
        )
    taken = IssuedCertificate.objects.filter(new_name_of=signed).order_by()
    is_reserved = bool(
        owner.holder_fingerprint and owner.holder_fingerprint != owner.client_fingerprint
    )
    return Holder(
        fingerprint=fingerprint,
        subject=_subject(record, owner, is_reserved),
        is_reserved=is_reserved,
        record=record,
        names_within_hour=_count(taken.filter(created_at__gt=now - HOUR)) if signed else 0,
        names_ever=_count(taken) if signed else 0,
        profile=_profile_in_force(owner),
    )


def _subject(record: IssuedCertificate | None, owner: IssuedCertificate, is_reserved: bool) -> str:
    if record is not None:
        return record.subject
    return "" if is_reserved else owner.client_subject


def _count(rows: Any) -> int:
    return int(rows[:MOST_COUNTED].count())


def _profile_in_force(owner: IssuedCertificate) -> CertificateProfile | None:
    if owner.profile is None:
        return None
    in_force = CertificateProfile.objects.exclude(active_label=None)
    return in_force.filter(name=owner.profile.name).first()
