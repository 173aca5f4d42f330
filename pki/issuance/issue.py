"""Intent, sign, issued: the one road to a signature.

A certificate that exists and isn't recorded can't be revoked, so the record comes first:

1. in one transaction: the denylist, the identity rules, and an *intent* row (serial number,
   profile version, CSR, client);
2. the signature, outside of any transaction;
3. in another: *issued* with the certificate, on condition that the row is still an intent, the
   denylist still doesn't name the device, and the client's certificate hasn't been revoked;
4. the answer.

A crash after any step leaves a row that says how far it got. The same request again takes it up
where it stopped, so a device that resends gets one certificate, not two.
"""

import copy
import datetime
import hashlib
import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.db.models import Q, QuerySet
from django.utils import timezone

from pki.csr.check import ParsedCSR
from pki.csr.thing_names import fold_name
from pki.denylist import entries
from pki.denylist.entries import RequestIdentifiers, check_denylist
from pki.encoding.certificates import san_of
from pki.exceptions import ClientRefused, EnrollmentRefused, SignerUnavailable
from pki.issuance import name_rules
from pki.issuance.client_authentication import Client
from pki.issuance.verified_signing import sign
from pki.models import IssuedCertificate, hot_path_sql
from pki.reasons import Reason
from pki.record import audit_trail, observers
from pki.record.audit_trail import Actor
from pki.record.intents import issued_columns, new_intent
from pki.record.snapshot import ProfileSnapshot
from pki.record.transactions import in_write_transaction
from pki.signers.certificate_contents import SigningRequest

logger = logging.getLogger(__name__)

Operation = IssuedCertificate.Operation
State = IssuedCertificate.State


@dataclass(frozen=True, slots=True)
class IssueRequest:
    """A checked CSR, who sent it, and under which profile. Nothing here is HTTP."""

    csr: ParsedCSR
    client: Client
    profile: ProfileSnapshot
    operation: Operation
    actor: Actor
    tenant_id: str = ""

    @property
    def idempotency_key(self) -> str:
        """The same for the same request: CSR, client, profile and operation."""
        said = b"\0".join(
            part.encode()
            for part in (self.client.fingerprint, self.profile.row.name, self.operation)
        )
        return hashlib.sha256(self.csr.der + said).hexdigest()

    @property
    def name_folded(self) -> str:
        """The thing name as it is compared."""
        return fold_name(self.csr.common_name)

    @property
    def current_name(self) -> str:
        """What only one current certificate may have."""
        return f"{self.profile.row.name}:{self.name_folded}"


class _NotIssued(Exception):
    """The intent isn't one any more, or must not be issued: denied, revoked, or a twin won."""


@dataclass(frozen=True, slots=True)
class _ConflictingRows:
    """What the database already says about a request's name, key and text."""

    owner: IssuedCertificate | None
    key_owner: IssuedCertificate | None
    current: IssuedCertificate | None
    same_request: IssuedCertificate | None


def issue_certificate(
    request: IssueRequest,
    *,
    on_issued: Callable[[IssuedCertificate], None] | None = None,
) -> IssuedCertificate:
    """Sign ``request`` and record the certificate, or return the one it got before.

    ``on_issued`` runs in the transaction that records the certificate, for rows that must exist
    exactly when it does. Raises ``DeviceDenied``, ``EnrollmentRefused``, ``ClientRefused``,
    ``SignerRefused``, ``SignerUnavailable``, ``AuthorityUnavailable`` or ``Busy``; after the last
    three the same request may come again.
    """
    # Checked here, not by callers: no path to a signature goes round denylist and identity.
    intent = in_write_transaction(lambda: _find_or_record_intent(request))
    if intent.state != State.INTENT:
        return intent
    certificate = _sign_intent(intent, request)
    try:
        return in_write_transaction(
            lambda: _record_issued(intent, request, certificate, on_issued=on_issued)
        )
    except _NotIssued:
        return _find_out_why(intent, request)


def _find_or_record_intent(request: IssueRequest) -> IssuedCertificate:
    """Step 1. Returns an intent to be signed, or the certificate that the request got before."""
    now = timezone.now()
    known = _look_up(request)
    on_file = _on_file(request, known)
    check_denylist(_subjects(request, on_file))
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
    _check_key_is_own(request, known)
    if known.same_request is not None:
        if _is_answer(known.same_request, request, now):
            return known.same_request
        # Its time is over: it gives the request away and stays as it is.
        IssuedCertificate.objects.filter(pk=known.same_request.pk).update(request_key=None)
    return _record_intent(request, known, on_file, now)


def _look_up(request: IssueRequest) -> _ConflictingRows:
    """Every row that shares something unique with the request, in one statement."""
    folded, current = request.name_folded, request.current_name
    rows = hot_path_sql.fetch(
        IssuedCertificate,
        "name_owner = %s OR key_owner = %s OR current_name = %s OR request_key = %s",
        [folded, request.csr.key_sha256, current, request.idempotency_key],
        without=("csr_der",),
    )

    def first(matches: Callable[[IssuedCertificate], bool]) -> IssuedCertificate | None:
        return next((row for row in rows if matches(row)), None)

    return _ConflictingRows(
        owner=first(lambda row: row.name_owner == folded),
        key_owner=first(lambda row: row.key_owner == request.csr.key_sha256),
        current=first(lambda row: row.current_name == current),
        same_request=first(lambda row: row.request_key == request.idempotency_key),
    )


def _on_file(request: IssueRequest, known: _ConflictingRows) -> IssuedCertificate | None:
    """The certificate that a re-enrollment renews (RFC 7030 4.2.2)."""
    if request.operation != Operation.REENROLL:
        return None
    if request.client.is_device:
        record = request.client.record
        # Authentication left the certificate's bytes behind; they are what TLS showed.
        if record is not None:
            record.der = request.client.certificate.public_bytes(Encoding.DER)
        return record
    return known.current


def _subjects(request: IssueRequest, on_file: IssuedCertificate | None) -> RequestIdentifiers:
    return RequestIdentifiers(
        common_name=request.csr.common_name,
        device_serial=request.csr.device_serial,
        key_sha256=request.csr.key_sha256,
        client_fingerprint=request.client.fingerprint,
        client_serial_number=request.client.serial_number,
        certificate_fingerprint=(on_file.fingerprint_sha256 or "") if on_file else "",
        certificate_serial_number=on_file.serial_number if on_file else "",
    )


def _check_key_is_own(request: IssueRequest, known: _ConflictingRows) -> None:
    """A key that two devices share is a cloned device, or a poor source of randomness."""
    other = known.key_owner
    is_foreign = other is not None and other.name_folded != request.name_folded
    if request.profile.row.is_key_unique and is_foreign:
        raise EnrollmentRefused(
            Reason.KEY_IN_USE,
            "another thing name already holds a certificate for this public key; "
            "make a key of its own on each device",
        )


def _is_answer(row: IssuedCertificate, request: IssueRequest, now: datetime.datetime) -> bool:
    """Whether ``row`` is what the repeated request gets, or takes up again."""
    window = datetime.timedelta(seconds=request.profile.row.idempotency_seconds)
    if row.created_at + window <= now:
        return False
    if row.state == State.INTENT:
        return row.ca_id == request.profile.authority.row.pk  # else the profile changed its CA
    return row.state in (State.ISSUED, State.SUPERSEDED)


def _record_intent(
    request: IssueRequest,
    known: _ConflictingRows,
    on_file: IssuedCertificate | None,
    now: datetime.datetime,
) -> IssuedCertificate:
    """Write what is about to be signed. A name or key nobody owns becomes this row's."""
    authority = request.profile.authority
    csr, profile = request.csr, request.profile.row
    renewed = on_file.to_x509() if on_file else None
    # A renewal keeps the subject on file, letter by letter: the client may have re-encoded it.
    subject = renewed.subject if renewed else csr.subject
    common_name = on_file.common_name if on_file else csr.common_name
    san = san_of(renewed.extensions) if renewed else csr.san
    row = new_intent(
        csr,
        authority,
        subject=subject,
        common_name=common_name,
        san=san,
        validity=datetime.timedelta(days=profile.validity_days),
        now=now,
    )
    row.operation = request.operation
    row.profile = profile
    row.predecessor = on_file
    row.name_owner = None if known.owner else request.name_folded
    row.key_owner = csr.key_sha256 if profile.is_key_unique and known.key_owner is None else None
    row.request_key = request.idempotency_key
    row.client_fingerprint = request.client.fingerprint
    row.client_subject = request.client.subject[:1000]
    row.source_ip = request.actor.source_ip
    row.request_id = request.actor.request_id
    row.tenant_id = request.tenant_id
    hot_path_sql.insert(row)
    audit_trail.record(
        "intent",
        actor=request.actor,
        target=f"certificate:{row.serial_number}",
        after={"name": row.common_name, "operation": row.operation, "profile": str(profile)},
    )
    return row


def _sign_intent(intent: IssuedCertificate, request: IssueRequest) -> x509.Certificate:
    """Step 2: have ``intent`` signed, and look at what comes back."""
    renewed = intent.predecessor.to_x509() if intent.predecessor else None
    return sign(
        intent,
        request.profile.authority,
        SigningRequest(
            csr=request.csr.csr,
            subject=renewed.subject if renewed else request.csr.subject,
            san=san_of(renewed.extensions) if renewed else request.csr.san,
            serial_number=int(intent.serial_number, 16),
            not_before=intent.not_before,
            not_after=intent.not_after,
            tenant_id=request.tenant_id,
        ),
    )


def _record_issued(
    intent: IssuedCertificate,
    request: IssueRequest,
    certificate: x509.Certificate,
    *,
    on_issued: Callable[[IssuedCertificate], None] | None,
) -> IssuedCertificate:
    """Step 3: intent to issued, unless somebody was faster, denied or revoked meanwhile."""
    now = timezone.now()
    replaced = _supersede(intent, request, now)
    known = {**issued_columns(certificate, now), "current_name": request.current_name}
    # Only what differs: an index is written anew for each column that is set, changed or not.
    issued = {name: value for name, value in known.items() if getattr(intent, name) != value}
    columns = ", ".join(f'"{name}" = %s' for name in issued)
    subjects = _subjects(request, intent.predecessor)
    changed = hot_path_sql.update(
        f'UPDATE "pki_issuedcertificate" SET {columns} '  # noqa: S608  # names are ours
        f"WHERE id = %s AND state = %s AND NOT {entries.MATCHING_ENTRY_SQL} "
        "AND NOT EXISTS (SELECT 1 FROM pki_issuedcertificate AS client "
        "WHERE (client.fingerprint_sha256 = %s OR client.id = %s) AND client.state = %s)",
        [
            *hot_path_sql.prepared_values(IssuedCertificate, issued),
            hot_path_sql.prepared_value(IssuedCertificate, "id", intent.pk),
            State.INTENT,
            *subjects.values(now),
            request.client.fingerprint,
            hot_path_sql.prepared_value(IssuedCertificate, "id", intent.predecessor_id),
            State.REVOKED,
        ],
    )
    if not changed:
        raise _NotIssued  # and undo what was superseded
    # A copy: this may run again after a conflict, and then has to start from the intent.
    row = copy.copy(intent)
    for column, value in issued.items():
        setattr(row, column, value)
    audit_trail.record(
        "issue",
        actor=request.actor,
        target=f"certificate:{row.serial_number}",
        after={"name": row.common_name, "fingerprint": row.fingerprint_sha256},
    )
    if on_issued is not None:
        on_issued(row)
    for observer in observers.registered():
        observer.issued(row, replaced)
    return row


def _supersede(
    intent: IssuedCertificate, request: IssueRequest, now: datetime.datetime
) -> uuid.UUID | None:
    """Let the certificate that is current now step back; it has its overlap time left.

    Returns its id, when there is one.
    """
    current = hot_path_sql.fetch_values(
        "SELECT serial_number FROM pki_issuedcertificate WHERE current_name = %s AND id <> %s",
        [request.current_name, hot_path_sql.prepared_value(IssuedCertificate, "id", intent.pk)],
    )
    for (serial_number,) in current:  # one at most: the column is unique
        step_back = IssuedCertificate.objects.filter(
            current_name=request.current_name, serial_number=serial_number, state=State.ISSUED
        )
        replaced = step_back.values_list("pk", flat=True).first()
        if not step_back.update(state=State.SUPERSEDED, superseded_at=now, current_name=None):
            continue  # revoked, or superseded by another, while we waited for its row
        audit_trail.record(
            "supersede",
            actor=request.actor,
            target=f"certificate:{serial_number}",
            after={"by": intent.serial_number},
        )
        return replaced
    return None


def _revoked(intent: IssuedCertificate, client: Client) -> QuerySet[IssuedCertificate]:
    """The client's certificate and the one to be renewed, as far as revoked in the meantime."""
    return IssuedCertificate.objects.filter(
        Q(fingerprint_sha256=client.fingerprint) | Q(pk=intent.predecessor_id),
        state=State.REVOKED,
    )


def _find_out_why(intent: IssuedCertificate, request: IssueRequest) -> IssuedCertificate:
    """The certificate of the same request, when that was faster; else raises what came between."""
    row = IssuedCertificate.objects.get(pk=intent.pk)
    if row.state in (State.ISSUED, State.SUPERSEDED):
        return row
    check_denylist(_subjects(request, intent.predecessor))
    revoked = set(_revoked(intent, request.client).values_list("fingerprint_sha256", flat=True))
    if request.client.fingerprint in revoked:
        raise ClientRefused(Reason.CLIENT_CERTIFICATE_REVOKED)
    if revoked:
        raise EnrollmentRefused(
            Reason.NOTHING_TO_RENEW,
            f"the certificate of {intent.common_name!r} was revoked meanwhile: enroll it",
        )
    logger.warning("intent %s became %s before it was issued", intent, row.state)
    raise SignerUnavailable(Reason.SIGNER_UNAVAILABLE)
