"""Step 3 of an issuance: turn the intent into a certificate on record, unless something forbids it.

The update names its own conditions, because a denylist entry or a revocation can be committed while
the certificate is being signed.
"""

import datetime
import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from django.db.models import Q
from django.utils import timezone

from pki.denylist import entries
from pki.denylist.entries import check_denylist
from pki.denylist.identifiers import RequestIdentifiers
from pki.denylist.kinds import matching_values
from pki.exceptions import (
    ClientRefused,
    DeviceDenied,
    EnrollmentRefused,
    PKIError,
    SignerUnavailable,
)
from pki.issuance import label_rules, name_rules
from pki.issuance.request import EnrollmentRequest
from pki.models import IssuedCertificate, hot_path_rows, hot_path_sql, hot_path_values
from pki.reasons import Reason
from pki.record import audit_trail, observers
from pki.record.intents import issued_columns, void_intents
from pki.record.transactions import in_write_transaction

logger = logging.getLogger(__name__)

State = IssuedCertificate.State


class IntentWithdrawn(Exception):
    """The intent must not be issued: it is one no more, or a denial or revocation came first."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What was on record with the intent, and probably still is."""

    current: IssuedCertificate | None
    """The certificate to be superseded."""


def record_issued(
    intent: IssuedCertificate,
    request: EnrollmentRequest,
    certificate: x509.Certificate,
    *,
    owner: IssuedCertificate,
    on_issued: Callable[[IssuedCertificate], None] | None,
    expected: Expected | None = None,
) -> IssuedCertificate:
    """Record ``certificate`` for ``intent``, and return its row.

    ``owner`` is the row that owned the thing name when the name rules were asked. With ``expected``
    nothing is read where the database takes statements together. They change the expected rows, or
    the transaction fails: with ``NothingChanged``, or with a conflict where another certificate is
    current. Either says only that the caller has to try again without ``expected``.
    Runs in the caller's transaction, which has to roll back when this raises ``IntentWithdrawn``.
    """
    now = timezone.now()
    is_expecting = expected is not None and hot_path_sql.can_put_off()
    if expected is not None and is_expecting:
        replaced = _supersede_expected(expected, intent, request, now)
    else:
        replaced = _supersede(intent, request, now)
    issued = _update_intent(intent, request, certificate, owner, now, is_expecting=is_expecting)
    # A copy: this may run again after a conflict, and then has to start from the intent.
    row = hot_path_rows.copy_of(intent)
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


def _supersede_expected(
    expected: Expected,
    intent: IssuedCertificate,
    request: EnrollmentRequest,
    now: datetime.datetime,
) -> uuid.UUID | None:
    """Supersede the certificate that was current, in one statement that has to change it.

    If none was, then a new one is in the way of the intent, because ``current_name`` is unique.
    """
    current = expected.current
    if current is None:
        return None
    hot_path_sql.update_later(
        "UPDATE pki_issuedcertificate SET state = %s, superseded_at = %s, current_name = NULL "
        "WHERE id = %s AND current_name = %s AND state = %s",
        [
            State.SUPERSEDED,
            hot_path_values.prepared_value(IssuedCertificate, "superseded_at", now),
            hot_path_values.prepared_value(IssuedCertificate, "id", current.pk),
            request.current_name,
            State.ISSUED,
        ],
    )
    _record_superseded(current.serial_number, intent, request)
    return current.pk


def _record_superseded(
    serial_number: str, intent: IssuedCertificate, request: EnrollmentRequest
) -> None:
    audit_trail.record(
        "supersede",
        actor=request.actor,
        target=f"certificate:{serial_number}",
        after={"by": intent.serial_number},
    )


def _supersede(
    intent: IssuedCertificate, request: EnrollmentRequest, now: datetime.datetime
) -> uuid.UUID | None:
    """Supersede the certificate that has been current so far, and return its id if there is one.

    A superseded certificate still authenticates its device during the profile's overlap.
    """
    current = hot_path_sql.fetch_values(
        "SELECT serial_number FROM pki_issuedcertificate WHERE current_name = %s AND id <> %s",
        [request.current_name, hot_path_values.prepared_value(IssuedCertificate, "id", intent.pk)],
    )
    for (serial_number,) in current:  # one at most: the column is unique
        rows = IssuedCertificate.objects.filter(
            current_name=request.current_name, serial_number=serial_number, state=State.ISSUED
        )
        replaced = rows.values_list("pk", flat=True).first()
        if not rows.update(state=State.SUPERSEDED, superseded_at=now, current_name=None):
            continue  # revoked, or superseded by another request, while this one waited for the row
        _record_superseded(serial_number, intent, request)
        return replaced
    return None


def _update_intent(
    intent: IssuedCertificate,
    request: EnrollmentRequest,
    certificate: x509.Certificate,
    owner: IssuedCertificate,
    now: datetime.datetime,
    *,
    is_expecting: bool,
) -> dict[str, object]:
    """Write the certificate into the intent's row, and return the columns that changed.

    Raises ``IntentWithdrawn`` when the row is no intent any more, the denylist names the request,
    a CA of the request is distrusted, the client's certificate or the one to be renewed is
    revoked, or the name has another holder.
    """
    known = {**issued_columns(certificate, now), "current_name": request.current_name}
    # Only what differs: an index is written anew for each column that is set, changed or not.
    issued = {name: value for name, value in known.items() if getattr(intent, name) != value}
    statement = _issuing_statement(tuple(issued), entries.MATCHING_ENTRY_SQL)
    values = [
        *hot_path_values.prepared_values(IssuedCertificate, issued),
        hot_path_values.prepared_value(IssuedCertificate, "id", intent.pk),
        State.INTENT,
        *matching_values(_identifiers(intent, request), now),
        *label_rules.distrusted_ca_values(intent, request.client),
        request.client.fingerprint,
        hot_path_values.prepared_value(IssuedCertificate, "id", intent.predecessor_id),
        State.REVOKED,
        request.name_folded,
        hot_path_values.prepared_value(IssuedCertificate, "id", owner.pk),
        owner.holder_signed_sha256,
    ]
    if is_expecting:
        hot_path_sql.update_later(statement, values)
    elif not hot_path_sql.update(statement, values):
        raise IntentWithdrawn
    return issued


@lru_cache(maxsize=64)
def _issuing_statement(columns: tuple[str, ...], matching_entry: str) -> str:
    """Return the UPDATE that sets ``columns`` of an intent, unless something forbids it."""
    changes = ", ".join(f'"{name}" = %s' for name in columns)
    return (
        f'UPDATE "pki_issuedcertificate" SET {changes} '  # noqa: S608  # columns of the model
        f"WHERE id = %s AND state = %s AND NOT {matching_entry} "
        f"AND NOT {label_rules.DISTRUSTED_CA_SQL} "
        "AND NOT EXISTS (SELECT 1 FROM pki_issuedcertificate AS client "
        "WHERE (client.fingerprint_sha256 = %s OR client.id = %s) AND client.state = %s) "
        "AND EXISTS (SELECT 1 FROM pki_issuedcertificate AS owner "
        "WHERE owner.name_owner = %s AND owner.id = %s AND owner.holder_signed_sha256 = %s)"
    )


def _identifiers(intent: IssuedCertificate, request: EnrollmentRequest) -> RequestIdentifiers:
    return request.identifiers(intent.predecessor, intent.device_serial)


def certificate_or_refusal(
    intent: IssuedCertificate, request: EnrollmentRequest
) -> IssuedCertificate:
    """Return the certificate if the same request, sent twice, was issued by its twin.

    Otherwise makes the intent void, so that the CRL lists at once what was signed, and raises what
    came in between: ``DeviceDenied``, ``ClientRefused`` or ``EnrollmentRefused``. Raises
    ``SignerUnavailable`` when nothing explains it. The same request gets a new intent then.
    """
    row = IssuedCertificate.objects.get(pk=intent.pk)
    if row.state in (State.ISSUED, State.SUPERSEDED):
        return row
    refusal = _what_came_in_between(intent, request)
    if refusal is None:
        logger.warning("intent %s became %s before it was issued", intent, row.state)
        refusal = SignerUnavailable(Reason.SIGNER_UNAVAILABLE)
    withdrawn = IssuedCertificate.objects.filter(pk=intent.pk)
    why = f"refused after its signature: {refusal.reason.code}"
    in_write_transaction(lambda: void_intents(withdrawn, actor=request.actor, why=why))
    raise refusal


def _what_came_in_between(intent: IssuedCertificate, request: EnrollmentRequest) -> PKIError | None:
    """Return the refusal that the same request would get now, in the order of its checks."""
    revoked = IssuedCertificate.objects.filter(
        Q(fingerprint_sha256=request.client.fingerprint) | Q(pk=intent.predecessor_id),
        state=State.REVOKED,
    )
    fingerprints = set(revoked.values_list("fingerprint_sha256", flat=True))
    if request.client.fingerprint in fingerprints:
        return ClientRefused(Reason.CLIENT_CERTIFICATE_REVOKED)
    try:
        check_denylist(_identifiers(intent, request))
        label_rules.check_still_trusted(intent, request.client)
    except (DeviceDenied, ClientRefused) as refusal:
        return refusal
    if fingerprints:
        return EnrollmentRefused(
            Reason.NOTHING_TO_RENEW,
            f"The certificate of {intent.common_name!r} was revoked while its renewal was being "
            "signed. Enroll it (simpleenroll).",
        )
    owner = IssuedCertificate.objects.filter(name_owner=request.name_folded).first()
    if owner is None or request.client.is_device:
        return None  # the name is free again, and the same request may take it
    if not name_rules.is_holder(request.client, owner, request.profile):
        return EnrollmentRefused(
            Reason.NAME_BOUND_TO_ANOTHER,
            f"The thing name {intent.common_name!r} was given to another client while its "
            "certificate was being signed.",
        )
    return None
