"""Judge an enrollment request by the record: may this client have this certificate now.

``STEPS`` are the rules in their order. An issuance takes all of them, in the transaction that
records its intent. A dry run takes them one by one, to say which of them refuses. Nothing here
writes, and nothing else decides.
"""

import datetime
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from pki.denylist.entries import check_entries, entries_naming, look_for_entries
from pki.denylist.identifiers import RequestIdentifiers
from pki.exceptions import ClientRefused, EnrollmentRefused
from pki.issuance import label_rules, name_rules
from pki.issuance.conflicting_rows import ConflictingRows, conflicts_among, look_for_conflicts
from pki.issuance.on_file import CertificateOnFile, certificate_on_file
from pki.issuance.quotas import check_new_name, look_for_quota
from pki.issuance.request import EnrollmentRequest
from pki.models import DenylistEntry, IssuedCertificate, hot_path_sql
from pki.reasons import Reason

Operation = IssuedCertificate.Operation
State = IssuedCertificate.State


@dataclass(frozen=True, slots=True)
class _FirstLook:
    """What the transaction reads at once, before it is known what of it is needed."""

    known: ConflictingRows
    guess: RequestIdentifiers | None
    """What the denylist was asked for, or None if it was not asked yet."""
    entries: list[DenylistEntry]
    quota: list[tuple[Any, Any]] | None
    serials: list[tuple[str]] | None
    """What ``look_for_serial`` found, if it was looked for yet."""

    def check_denylist(self, identifiers: RequestIdentifiers) -> None:
        """Raise ``DeviceDenied`` if an entry in force matches the request.

        What the new certificate takes from rows on record is known only now. So the denylist is
        asked again unless it was asked for just that.
        """
        is_asked = identifiers == self.guess
        check_entries(self.entries if is_asked else entries_naming(identifiers))


@dataclass(slots=True)
class Judgement:
    """A request beside what the record has of it. The steps fill in what follows from that."""

    request: EnrollmentRequest
    now: datetime.datetime
    first: _FirstLook
    on_file: CertificateOnFile | None = None
    """The certificate to be renewed, once the step ``client`` was taken."""
    device_serial: str = field(default="")
    """The serial number of the device that asks, as the new row has it."""

    @property
    def known(self) -> ConflictingRows:
        """The rows that share something unique with the request."""
        return self.first.known

    @property
    def answer(self) -> IssuedCertificate | None:
        """The row of the same request, sent before, if it is the answer or can be taken up."""
        earlier, owner = self.known.same_request, self.known.owner
        if earlier is None or not _is_answer(earlier, self.request, self.now):
            return None
        return earlier if earlier.state != State.INTENT or owner is not None else None

    @property
    def rebound(self) -> IssuedCertificate | None:
        """The owner's row if the client takes the name over, which its profile allows."""
        owner = self.known.owner
        if owner is None or self.request.operation == Operation.REENROLL:
            return None
        is_holder = name_rules.is_holder(self.request.client, owner, self.request.profile)
        return None if is_holder else owner

    @property
    def takes_name(self) -> bool:
        """Whether the name is new to the client, so that its quota counts it."""
        return self.known.owner is None or self.rebound is not None


@dataclass(frozen=True, slots=True)
class Step:
    """A rule with the name under which a dry run shows it."""

    name: str
    check: Callable[[Judgement], None]
    """Raises ``PKIError`` if the rule refuses the request."""
    passed: Callable[[Judgement], str]
    """A sentence on what the rule found, once it let the request through."""


def judge(request: EnrollmentRequest, now: datetime.datetime) -> Judgement:
    """Return the judgement of a request that every step lets through.

    Raises ``ClientRefused``, ``DeviceDenied``, ``EnrollmentRefused`` or ``QuotaExceeded``.
    """
    judgement = begin(request, now)
    for step in STEPS:
        step.check(judgement)
    return judgement


def begin(request: EnrollmentRequest, now: datetime.datetime) -> Judgement:
    """Return the judgement before its first step, with what the record has of the request."""
    return Judgement(request, now, _look(request, now))


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
        looks["serials"] = look_for_serial(request)
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


def look_for_serial(request: EnrollmentRequest) -> hot_path_sql.Look:
    """Return the look at the newest serial number that the device of the name had."""
    return hot_path_sql.Look(
        "SELECT device_serial FROM pki_issuedcertificate WHERE name_folded = %s "
        "AND name_released_at IS NULL AND fingerprint_sha256 IS NOT NULL AND device_serial <> '' "
        "ORDER BY id DESC LIMIT 1",
        [request.name_folded],
        list,
    )


def _check_client(judgement: Judgement) -> None:
    """Refuse a client that was revoked after it was authenticated, and find what it renews."""
    client = judgement.known.client
    if client is not None and client.state == State.REVOKED:
        raise ClientRefused(Reason.CLIENT_CERTIFICATE_REVOKED)
    request = judgement.request
    if request.operation == Operation.REENROLL:
        judgement.on_file = certificate_on_file(request.client, judgement.known.current)


def _check_denylist(judgement: Judgement) -> None:
    """Refuse what the denylist names.

    It comes before the rules: a denied device is not told whether they would hold.
    """
    on_file = judgement.on_file
    judgement.device_serial = _device_serial(judgement)
    judgement.first.check_denylist(
        judgement.request.identifiers(on_file.row if on_file else None, judgement.device_serial)
    )


def _device_serial(judgement: Judgement) -> str:
    """Return the serial number of the device that asks, as the new row has it.

    A renewal has that of the certificate on file. A name that is enrolled again, by a CSR that
    leaves the serial number out, keeps the one that it has on record.
    """
    request, known, on_file = judgement.request, judgement.known, judgement.on_file
    if on_file is not None and on_file.row.device_serial:
        return on_file.row.device_serial
    if request.csr.device_serial or known.owner is None:
        return request.csr.device_serial
    if known.same_request is not None and _is_answer(known.same_request, request, judgement.now):
        return known.same_request.device_serial
    # Rows from before the name's release are of the device that had the name then.
    current = known.current
    if current is not None and current.name_released_at is None and current.device_serial:
        return current.device_serial
    serials = judgement.first.serials
    if serials is None:
        (serials,) = hot_path_sql.fetch_together(look_for_serial(request))
    return serials[0][0] if serials else ""


def _check_label(judgement: Judgement) -> None:
    label_rules.check_label(judgement.request.client, judgement.request.profile, judgement.on_file)


def _check_name(judgement: Judgement) -> None:
    """Refuse a name that the client may not enroll, or a renewal that it may not have."""
    request, owner = judgement.request, judgement.known.owner
    if request.operation == Operation.REENROLL:
        name_rules.check_renewal(
            request.csr,
            request.client,
            request.profile,
            owner=owner,
            on_file=judgement.on_file,
            at=judgement.now,
        )
    else:
        name_rules.check_name(request.csr.common_name, request.client, request.profile, owner)


def _check_key_is_own(judgement: Judgement) -> None:
    """Refuse another thing's key: a cloned device, or a poor source of randomness."""
    request, key_owner = judgement.request, judgement.known.key_owner
    is_foreign = key_owner is not None and key_owner.name_folded != request.name_folded
    if request.profile.row.is_key_unique and is_foreign:
        raise EnrollmentRefused(Reason.KEY_IN_USE)


def _check_quota(judgement: Judgement) -> None:
    """Refuse a name that would be one too many for the client. Nothing else is counted."""
    if judgement.answer is None and judgement.takes_name:
        request = judgement.request
        check_new_name(request.client, request.profile.row, judgement.now, judgement.first.quota)


def _is_answer(row: IssuedCertificate, request: EnrollmentRequest, now: datetime.datetime) -> bool:
    """Return whether the repeated request gets ``row``, or takes it up if it is an intent."""
    window = datetime.timedelta(seconds=request.profile.row.idempotency_seconds)
    if row.created_at + window <= now:
        return False
    if row.state == State.INTENT:
        return row.ca_id == request.profile.authority.row.pk  # else the profile has another CA now
    return row.state in (State.ISSUED, State.SUPERSEDED)


def _client_found(judgement: Judgement) -> str:
    if judgement.on_file is not None:
        row = judgement.on_file.row
        return f"It would renew the certificate {row.serial_number} of {row.common_name}."
    return "The client is not revoked."


def _name_found(judgement: Judgement) -> str:
    rule = judgement.request.profile.row.identity_rule
    if judgement.rebound is not None:
        return f"The rule is {rule}. The client takes the name over, which the profile allows."
    if judgement.takes_name:
        return f"The rule is {rule}. The name is free, and the client becomes its holder."
    return f"The rule is {rule}. The name is the client's."


def _quota_found(judgement: Judgement) -> str:
    row = judgement.request.profile.row
    if judgement.answer is not None or not judgement.takes_name:
        return "No new name is counted."
    hourly, ever = row.new_names_per_hour, row.new_names_ever
    if hourly is None and ever is None:
        return "The profile has no quota."
    bounds = [f"{hourly} new names an hour"] if hourly is not None else []
    bounds += [f"{ever} ever"] if ever is not None else []
    return f"The client is below its quota of {' and '.join(bounds)}."


def _key_found(judgement: Judgement) -> str:
    if not judgement.request.profile.row.is_key_unique:
        return "The profile lets several names have the same key."
    return "No other thing name has the key."


STEPS: Final = (
    Step("client on record", _check_client, _client_found),
    Step("denylist", _check_denylist, lambda _: "No entry in force names the request."),
    Step("label and CAs", _check_label, lambda _: "The client counts at this label."),
    Step("identity rule", _check_name, _name_found),
    Step("key of its own", _check_key_is_own, _key_found),
    Step("quota", _check_quota, _quota_found),
)
"""The rules in their order. The first that refuses decides what the client is told."""
