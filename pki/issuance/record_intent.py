"""Step 1 of an issuance: check the request against the record, and write down what is to be signed.

An intent holds the serial number, the profile version, the CSR and the client.
"""

import datetime
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from django.utils import timezone

from pki.csr.san import name_texts, renewed_san
from pki.denylist.entries import check_entries, entries_naming, look_for_entries
from pki.denylist.identifiers import RequestIdentifiers
from pki.exceptions import ClientRefused, EnrollmentRefused
from pki.issuance import label_rules, name_rules
from pki.issuance.conflicting_rows import (
    ConflictingRows,
    conflicts_among,
    look_for_conflicts,
)
from pki.issuance.on_file import CertificateOnFile, certificate_on_file
from pki.issuance.quotas import check_new_name, look_for_quota
from pki.issuance.request import EnrollmentRequest
from pki.models import DenylistEntry, IssuedCertificate, hot_path_sql
from pki.reasons import Reason
from pki.record import audit_trail
from pki.record.intents import new_intent

Operation = IssuedCertificate.Operation
State = IssuedCertificate.State


@dataclass(frozen=True, slots=True)
class Intent:
    """A row whose certificate is to be signed, with the names as they will be encoded."""

    row: IssuedCertificate
    subject: x509.Name
    san: x509.SubjectAlternativeName | None
    owner: IssuedCertificate
    """The row that owns the thing name, this one or an earlier one."""
    left_out: tuple[x509.GeneralName, ...]
    """The requested alternative names that the profile has left out."""
    current: IssuedCertificate | None
    """The certificate that was current when the intent was recorded, which this one replaces."""


@dataclass(frozen=True, slots=True)
class _FirstLook:
    """What the transaction reads at once, before it is known what of it is needed."""

    known: ConflictingRows
    guess: RequestIdentifiers | None
    """What the denylist was asked for, or None if it was not asked yet."""
    entries: list[DenylistEntry]
    quota: list[tuple[Any, Any]] | None
    serials: list[tuple[str]] | None
    """What ``_look_for_serial`` found, if it was looked for yet."""

    def check_denylist(self, identifiers: RequestIdentifiers) -> None:
        """Raise ``DeviceDenied`` if an entry in force matches the request.

        What the new certificate takes from rows on record is known only now. So the denylist is
        asked again unless it was asked for just that.
        """
        is_asked = identifiers == self.guess
        check_entries(self.entries if is_asked else entries_naming(identifiers))


def find_or_record_intent(request: EnrollmentRequest) -> Intent | IssuedCertificate:
    """Return an intent to be signed, or the certificate that the same request got before.

    Runs in the caller's transaction. Raises ``ClientRefused``, ``DeviceDenied``,
    ``EnrollmentRefused``, ``QuotaExceeded`` or ``AuthorityUnavailable``.
    """
    now = timezone.now()
    first = _look(request, now)
    known = first.known
    # It was not revoked when the client was authenticated, but may be by now.
    if known.client is not None and known.client.state == State.REVOKED:
        raise ClientRefused(Reason.CLIENT_CERTIFICATE_REVOKED)
    on_file = None
    if request.operation == Operation.REENROLL:
        on_file = certificate_on_file(request.client, known.current)
    # The denylist comes first: a denied device is not told whether the name rules would hold.
    device_serial = _device_serial(request, first, on_file, now)
    first.check_denylist(request.identifiers(on_file.row if on_file else None, device_serial))
    label_rules.check_label(request.client, request.profile, on_file)
    if request.operation == Operation.REENROLL:
        name_rules.check_renewal(
            request.csr,
            request.client,
            request.profile,
            owner=known.owner,
            on_file=on_file,
            at=now,
        )
    else:
        name_rules.check_name(request.csr.common_name, request.client, request.profile, known.owner)
    _check_key_is_own(request, known.key_owner)
    earlier = known.same_request
    if earlier is not None:
        if _is_answer(earlier, request, now):
            if earlier.state != State.INTENT:
                return earlier
            if known.owner is not None:
                return _take_up(earlier, request, on_file, known.owner, known.current)
        # The idempotency window has passed, or the row can be no answer any more: release the
        # request key and leave the rest of the row alone.
        IssuedCertificate.objects.filter(pk=earlier.pk).update(request_key=None)
    return _record_intent(request, first, on_file, device_serial, now)


def _look(request: EnrollmentRequest, now: datetime.datetime) -> _FirstLook:
    """Read, at once where that saves a wait, what most requests need.

    Where each statement costs the same, the denylist and the quota are read when they are needed.
    """
    conflicts = look_for_conflicts(request)
    if not hot_path_sql.can_put_off():
        (rows,) = hot_path_sql.fetch_together(conflicts)
        return _FirstLook(conflicts_among(rows, request), None, [], None, None)
    is_renewal = request.operation == Operation.REENROLL
    renewed = request.client.record if is_renewal and request.client.is_device else None
    serial = (renewed.device_serial if renewed else "") or request.csr.device_serial
    guess = request.identifiers(renewed, serial)
    looks = {"rows": conflicts, "entries": look_for_entries(guess)}
    if not serial:
        looks["serials"] = _look_for_serial(request)
    quota = None if is_renewal else look_for_quota(request.client, request.profile.row, now)
    if quota is not None:
        looks["quota"] = quota
    found = dict(zip(looks, hot_path_sql.fetch_together(*looks.values()), strict=True))
    return _FirstLook(
        conflicts_among(found["rows"], request),
        guess,
        found["entries"],
        found.get("quota"),
        found.get("serials"),
    )


def _device_serial(
    request: EnrollmentRequest,
    first: _FirstLook,
    on_file: CertificateOnFile | None,
    now: datetime.datetime,
) -> str:
    """Return the serial number of the device that asks, as the new row has it.

    A renewal has that of the certificate on file. A name that is enrolled again, by a CSR that
    leaves the serial number out, keeps the one that it has on record.
    """
    if on_file is not None and on_file.row.device_serial:
        return on_file.row.device_serial
    known = first.known
    if request.csr.device_serial or known.owner is None:
        return request.csr.device_serial
    if known.same_request is not None and _is_answer(known.same_request, request, now):
        return known.same_request.device_serial
    # Rows from before the name's release are of the device that had the name then.
    current = known.current
    if current is not None and current.name_released_at is None and current.device_serial:
        return current.device_serial
    serials = first.serials
    if serials is None:
        (serials,) = hot_path_sql.fetch_together(_look_for_serial(request))
    return serials[0][0] if serials else ""


def _look_for_serial(request: EnrollmentRequest) -> hot_path_sql.Look:
    """Return the look at the newest serial number that the device of the name had."""
    return hot_path_sql.Look(
        "SELECT device_serial FROM pki_issuedcertificate WHERE name_folded = %s "
        "AND name_released_at IS NULL AND fingerprint_sha256 IS NOT NULL AND device_serial <> '' "
        "ORDER BY id DESC LIMIT 1",
        [request.name_folded],
        list,
    )


def _check_key_is_own(request: EnrollmentRequest, key_owner: IssuedCertificate | None) -> None:
    """Refuse another thing's key: a cloned device, or a poor source of randomness."""
    is_foreign = key_owner is not None and key_owner.name_folded != request.name_folded
    if request.profile.row.is_key_unique and is_foreign:
        raise EnrollmentRefused(Reason.KEY_IN_USE)


def _is_answer(row: IssuedCertificate, request: EnrollmentRequest, now: datetime.datetime) -> bool:
    """Return whether the repeated request gets ``row``, or takes it up if it is an intent."""
    window = datetime.timedelta(seconds=request.profile.row.idempotency_seconds)
    if row.created_at + window <= now:
        return False
    if row.state == State.INTENT:
        return row.ca_id == request.profile.authority.row.pk  # else the profile has another CA now
    return row.state in (State.ISSUED, State.SUPERSEDED)


def _take_up(
    row: IssuedCertificate,
    request: EnrollmentRequest,
    on_file: CertificateOnFile | None,
    owner: IssuedCertificate,
    current: IssuedCertificate | None,
) -> Intent:
    """Return an earlier request's intent, to be signed with the names that it was recorded with."""
    if on_file and on_file.row.pk == row.predecessor_id:
        row.predecessor = on_file.row
    else:  # the thing has been given another certificate since then
        on_file = CertificateOnFile.read(row.predecessor) if row.predecessor else None
    subject, san, left_out = _encoded_names(request, on_file)
    return Intent(row, subject, san, owner, left_out, current)


def _encoded_names(
    request: EnrollmentRequest, on_file: CertificateOnFile | None
) -> tuple[x509.Name, x509.SubjectAlternativeName | None, tuple[x509.GeneralName, ...]]:
    """Return subject and SAN of the certificate to be signed, and the names that are left out.

    A renewal has those on file, letter by letter, because the client may have re-encoded them.
    """
    names = request.csr.names
    if on_file is None:
        return request.csr.subject, names.san, names.left_out
    asked, kept = renewed_san(names, on_file.san, request.profile.rules.own_names)
    return on_file.subject, kept, asked.left_out


def _record_intent(
    request: EnrollmentRequest,
    first: _FirstLook,
    on_file: CertificateOnFile | None,
    device_serial: str,
    now: datetime.datetime,
) -> Intent:
    """Write the intent. A name or key that has no owner yet becomes this row's."""
    known = first.known
    csr, profile, owner = request.csr, request.profile.row, known.owner
    rebound = _rebound(request, owner)
    # Step 1: a client has a quota of names that are new to it. Nothing else is counted.
    takes_name = owner is None or rebound is not None
    if takes_name:
        check_new_name(request.client, profile, now, first.quota)
    # Step 2: the row.
    subject, san, left_out = _encoded_names(request, on_file)
    row = new_intent(
        csr,
        request.profile.authority,
        subject=subject,
        common_name=on_file.row.common_name if on_file else csr.common_name,
        san=san,
        validity=datetime.timedelta(days=profile.validity_days),
        now=now,
        device_serial=device_serial,
    )
    row.operation = request.operation
    row.profile = profile
    row.predecessor = on_file.row if on_file else None
    if takes_name:
        row.new_name_of = request.client.signed_sha256
        row.name_owner = request.name_folded
        row.holder_fingerprint = request.client.fingerprint
        row.holder_signed_sha256 = request.client.signed_sha256
        row.holder_name_sha256 = request.client.name_sha256
    if rebound is not None:  # before the new row: the column is unique
        IssuedCertificate.objects.filter(pk=rebound.pk).update(name_owner=None)
    row.key_owner = csr.key_sha256 if profile.is_key_unique and known.key_owner is None else None
    row.request_key = request.idempotency_key
    row.client_fingerprint = request.client.fingerprint
    row.client_signed_sha256 = request.client.signed_sha256
    row.client_subject = request.client.subject[:1000]
    row.source_ip = request.source_ip
    row.request_id = request.request_id
    row.tenant_id = request.tenant_id
    # Step 3: the record.
    hot_path_sql.insert(row)
    audit_trail.record(
        "intent",
        actor=request.actor,
        target=f"certificate:{row.serial_number}",
        after={
            "name": row.common_name,
            "operation": row.operation,
            "profile": str(profile),
            **({"san_left_out": name_texts(left_out)} if left_out else {}),
        },
    )
    if rebound is not None:
        audit_trail.record(
            "rebind",
            actor=request.actor,
            target=f"thing:{row.common_name}",
            before={"client": rebound.holder_fingerprint or rebound.client_fingerprint},
            after={"client": request.client.fingerprint, "profile": str(profile)},
        )
    holder = row if takes_name or owner is None else owner
    return Intent(row, subject, san, holder, left_out, known.current)


def _rebound(
    request: EnrollmentRequest, owner: IssuedCertificate | None
) -> IssuedCertificate | None:
    """Return the owner's row if the client takes the name over, which its profile allows."""
    if owner is None or request.operation == Operation.REENROLL:
        return None
    return None if name_rules.is_holder(request.client, owner, request.profile) else owner
