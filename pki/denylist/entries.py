"""Check, add and remove entries of the denylist: what may not enroll.

An issuance asks the denylist twice, before its intent is written and when the certificate is
recorded. A deny takes effect in two commits:

1. The first one makes the entry visible. From then on, no intent that the entry names becomes a
   certificate.
2. The second one makes those intents void. It waits for a certificate that is being recorded.

When ``deny`` has returned, nothing is issued any more to what the entry names.
"""

import datetime
import uuid
from collections.abc import Iterable, Sequence

from django.utils import timezone

from pki.denylist import kinds
from pki.denylist.adding import (
    Outcome,
    as_it_was,
    in_parts,
    notify_observers,
    settled_row,
    write,
)
from pki.denylist.identifiers import RequestIdentifiers
from pki.denylist.kinds import find_kind, matching_values, normalize, signed_part
from pki.exceptions import DeviceDenied
from pki.models import DenylistEntry, IssuedCertificate, hot_path_sql
from pki.models.certificate import IssuedCertificateQuerySet
from pki.models.denylist import NEVER
from pki.operators.errors import OperatorError
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.intents import void_in_chunks
from pki.record.transactions import (
    in_no_transaction,
    in_write_transaction,
    in_write_transactions,
)

MAX_REASON = 500
"""Characters of a reason, as the column has them. SQLite does not enforce it."""

MATCHING_ENTRY_SQL = f"EXISTS (SELECT 1 FROM pki_denylistentry WHERE {kinds.MATCHING_CONDITION})"  # noqa: S608
"""SQL that is true if an entry in force matches a request (``kinds.matching_values``)."""


def check_denylist(identifiers: RequestIdentifiers) -> None:
    """Raise ``DeviceDenied`` if an entry in force matches the request."""
    check_entries(entries_naming(identifiers))


def check_entries(found: Sequence[DenylistEntry]) -> None:
    """Raise ``DeviceDenied`` if there is one among the entries that match a request."""
    if found:
        raise denied_by(found[0].kind)


def entries_naming(identifiers: RequestIdentifiers) -> list[DenylistEntry]:
    """Return the entries in force that match the request."""
    (found,) = hot_path_sql.fetch_together(look_for_entries(identifiers))
    return found


def look_for_entries(identifiers: RequestIdentifiers) -> hot_path_sql.Look:
    """Return the look at the entries in force that match the request."""
    return hot_path_sql.look(
        DenylistEntry, kinds.MATCHING_CONDITION, matching_values(identifiers, timezone.now())
    )


def denied_by(kind: str) -> DeviceDenied:
    """Return the refusal for an entry of that kind.

    It does not quote the operator's reason, which is not for devices.
    """
    row = find_kind(kind)
    return DeviceDenied(row.reason, f"The denylist names this {row.refused}.")


def deny(
    kind: str,
    value: str,
    *,
    reason: str,
    actor: Actor,
    expires_at: datetime.datetime | None = None,
    signed_sha256: str | None = None,
    is_replacing: bool = False,
) -> Outcome:
    """Put ``value`` on the denylist, and return what became of the entry.

    An entry in force stays as it is, unless ``is_replacing`` gives it the new reason and end.
    ``signed_sha256`` is of the certificate that the value was taken from, if the caller has it.
    Raises ``OperatorError`` for a value that cannot be of this kind, or an empty reason.
    """
    signed_sha256 = signed_sha256 or signed_part(kind, value)
    value = normalize(kind, value)
    check_reason(reason)

    def write_entry() -> Outcome:
        return write(
            kind,
            value,
            reason=reason,
            actor=actor,
            expires_at=expires_at,
            signed_sha256=signed_sha256,
            is_replacing=is_replacing,
        )

    outcome = in_write_transaction(write_entry)
    void_intents_of([(kind, value)], actor=actor)
    return outcome


def check_reason(reason: str) -> None:
    """Raise ``OperatorError`` for a reason that is empty or cannot be stored."""
    if not reason.strip():
        raise OperatorError(
            "A denylist entry needs a reason (--reason). The reason is kept on the audit trail."
        )
    if len(reason) > MAX_REASON or "\0" in reason:
        raise OperatorError(
            f"The reason has {len(reason)} characters. Use at most {MAX_REASON}, and no NUL."
        )


def certificates_named(kind: str, *values: str) -> IssuedCertificateQuerySet:
    """Return the certificates in any state that entries with these normalized values name.

    An entry for a client names the client's own certificate, not those that it enrolled.
    """
    return IssuedCertificate.objects.filter(find_kind(kind).names(*values))


def certificates_concerned(kind: str, value: str) -> IssuedCertificateQuerySet:
    """Return the certificates that a normalized entry names, and those that its client enrolled."""
    return IssuedCertificate.objects.filter(find_kind(kind).concerns(value))


def void_intents_of(entries: Iterable[tuple[str, str]], *, actor: Actor) -> None:
    """Make the intents void that (kind, value) pairs stop: the second commit of a deny.

    With many intents these are several commits. Each intent is whole in one of them. An intent that
    is recorded after the first look saw the entry itself.
    """
    intents = wait_for_intents()
    if not intents:
        return
    values_of: dict[str, list[str]] = {}
    for name, value in entries:
        values_of.setdefault(name, []).append(value)
    stopped = [
        (
            IssuedCertificate.objects.filter(pk__in=some).filter(find_kind(name).stops(*part)),
            f"denied: {name}",
        )
        for name, values in values_of.items()
        for part in in_parts(values)
        for some in in_parts(intents)
    ]
    void_in_chunks(stopped, actor=actor)


def wait_for_intents() -> list[uuid.UUID]:
    """Wait until every certificate that is being recorded at this moment is recorded.

    Return the intents that there were.

    A row does not say all of its client's certificate, so it is not known which intents an entry
    stops. Writing to each intent waits for the transaction that is turning it into a certificate,
    or collides with that transaction. A later transaction reads the entry.
    """
    intents = IssuedCertificate.objects.filter(state=IssuedCertificate.State.INTENT)

    def find() -> list[uuid.UUID]:
        return list(intents.values_list("pk", flat=True))

    def write(found: Sequence[uuid.UUID]) -> None:
        intents.filter(pk__in=found).update(state=IssuedCertificate.State.INTENT)

    found = in_no_transaction(find)
    in_write_transactions(found, write)
    return found


def allow(kind: str, value: str, *, reason: str, actor: Actor) -> bool:
    """Take ``value`` off the denylist, and return whether it was on it.

    Raises ``OperatorError`` for a value that cannot be of this kind.
    """
    value = normalize(kind, value)

    def remove_entry() -> bool:
        entry = settled_row(kind, value)
        if entry is None or not entry.is_on_list:
            return False
        if entry.batch is None:
            removed, _ = as_it_was(entry).delete()
        else:  # an import that is not in force yet denies the value again
            removed = as_it_was(entry).update(
                expires_at=NEVER, reason=entry.next_reason, created_by=entry.batch.created_by
            )
        if not removed:  # changed since it was read
            return remove_entry()
        audit_trail.record(
            "allow",
            actor=actor,
            target=f"{kind}:{value}",
            reason=reason,
            before={"reason": entry.reason, "created_by": entry.created_by},
        )
        notify_observers(kind, value)
        return True

    return in_write_transaction(remove_entry)
