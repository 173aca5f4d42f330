"""Add entries to the denylist, and say what becomes of one that is there already.

Adding never changes an entry in force unless the caller says so. The right to add one would
otherwise be the right to end every other.
"""

import datetime
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any, TypeVar

from django.db.models import F
from django.utils import timezone

from pki.csr.thing_names import shown
from pki.denylist.kinds import find_kind
from pki.models import DenylistBatch, DenylistEntry, IssuedCertificate
from pki.models.denylist import DenylistEntryQuerySet
from pki.record import audit_trail, observers
from pki.record.audit_trail import Actor

T = TypeVar("T")
Terms = tuple[str, datetime.datetime | None]
"""Reason and end."""
MOST_IN_STATEMENT = 200
"""Values in a condition of a statement, of which it may have three."""


class Outcome(StrEnum):
    """What becomes of an entry that is to be added. It is true if something was written."""

    NEW = "new"
    SAME = "same"
    """An entry with the same reason and end is on record."""
    KEPT = "kept"
    """An entry with another reason or end is on record, and stays as it is."""
    CHANGED = "changed"
    """An entry with another reason or end is on record, and gets the new ones."""

    def __bool__(self) -> bool:
        return self in (Outcome.NEW, Outcome.CHANGED)


def outcome_of_adding(
    existing: DenylistEntry | None,
    reason: str,
    expires_at: datetime.datetime | None,
    *,
    is_replacing: bool,
) -> Outcome:
    """Return what adding an entry does where ``existing`` has its kind and value.

    The right to add entries must not be a right to end one (threat T54). So an entry in force
    keeps its terms. An expired entry stops nothing, so it gets the new terms in any case. An entry
    that only waits for an import is on nobody's list yet.
    """
    if existing is None or not existing.is_on_list:
        return Outcome.NEW
    return _outcome_over(
        existing.terms,
        (reason, expires_at),
        is_in_force=existing.is_in_force,
        is_replacing=is_replacing,
    )


def _outcome_over(before: Terms, after: Terms, *, is_in_force: bool, is_replacing: bool) -> Outcome:
    if before == after:
        return Outcome.SAME
    return Outcome.CHANGED if is_replacing or not is_in_force else Outcome.KEPT


def write(
    kind: str,
    value: str,
    *,
    reason: str,
    actor: Actor,
    expires_at: datetime.datetime | None,
    signed_sha256: str | None = None,
    is_replacing: bool = False,
) -> Outcome:
    """Add or change one normalized entry in the caller's transaction, and return what was done.

    An entry for a certificate also gets the certificate's signed part, as far as it is known.
    """
    existing = settled_row(kind, value)
    outcome = outcome_of_adding(existing, reason, expires_at, is_replacing=is_replacing)
    signed_sha256 = signed_sha256 or signed_parts_on_record(kind, [value]).get(value)
    before = terms_of(existing) if existing and existing.is_on_list else None
    if existing is None:
        DenylistEntry.objects.create(
            kind=kind,
            value=value,
            reason=reason,
            created_by=actor.name,
            expires_at=expires_at,
            signed_sha256=signed_sha256,
        )
    else:
        changes: dict[str, Any] = {}
        if existing.signed_sha256 is None and signed_sha256 is not None:
            changes["signed_sha256"] = signed_sha256
        if outcome:
            changes |= {"reason": reason, "expires_at": expires_at}
        if outcome is Outcome.NEW:
            changes |= {"created_by": actor.name, "created_at": timezone.now()}
        if changes and not as_it_was(existing).update(**changes):
            # An import or another operator changed the entry since it was read.
            return write(
                kind,
                value,
                reason=reason,
                actor=actor,
                expires_at=expires_at,
                signed_sha256=signed_sha256,
                is_replacing=is_replacing,
            )
    if outcome:
        audit_trail.record(
            "deny",
            actor=actor,
            target=f"{kind}:{value}",
            reason=reason,
            before=before,
            after=_terms(reason, expires_at),
        )
        notify_observers(kind, value)
    return outcome


def settled_row(kind: str, value: str) -> DenylistEntry | None:
    """Return the row of a normalized value, in the caller's transaction; it may wait for an import.

    Its own terms are what counts: those of an import in force have become its own.
    """
    row = DenylistEntry.objects.filter(kind=kind, value=value).first()
    if row is None or row.batch is None or row.batch.in_force_at is None:
        return row
    settle([(kind, value)], row.batch)
    return settled_row(kind, value)


def settle(
    entries: Sequence[tuple[str, str]], batch: DenylistBatch
) -> dict[tuple[str, str], Outcome]:
    """Make the terms that entries have of a batch in force their own, and return what was done.

    Runs in the caller's transaction. An entry that keeps its own terms, by `outcome_of_adding`,
    loses those of the batch. One that is settled already is not among the results.
    """
    # Step 1: the rows, after whoever is changing one of them at this moment.
    of_batch = DenylistEntry.objects.filter(value__in={value for _, value in entries}, batch=batch)
    of_batch.update(batch=batch)
    named = frozenset(entries)
    rows = [row for row in of_batch if (row.kind, row.value) in named]
    now = timezone.now()
    outcomes = {row: _outcome_of_batch(row, batch, now) for row in rows}

    # Step 2: their terms, those of each outcome with one statement.
    cleared: dict[str, Any] = {"batch": None, "next_reason": None, "next_expires_at": None}
    taken = {**cleared, "reason": F("next_reason"), "expires_at": F("next_expires_at")}
    first = {**taken, "created_by": batch.created_by, "created_at": batch.in_force_at}
    changes = {Outcome.NEW: first, Outcome.CHANGED: taken}
    for outcome in sorted(set(outcomes.values())):
        some = [row.pk for row in rows if outcomes[row] is outcome]
        of_batch.filter(pk__in=some).update(**changes.get(outcome, cleared))

    # Step 3: the audit trail, and those who follow the denylist.
    actor = Actor(batch.created_by, str(batch.pk), batch.source_ip)
    changed: dict[str, list[str]] = {}
    for row in rows:
        if outcomes[row]:
            changed.setdefault(row.kind, []).append(row.value)
            audit_trail.record(
                "deny",
                actor=actor,
                target=f"{row.kind}:{row.value}",
                reason=row.next_reason or "",
                before=terms_of(row) if row.has_own_terms else None,
                after=_terms(row.next_reason or "", row.next_expires_at),
            )
    for kind, values in changed.items():
        notify_observers(kind, *values)
    return {(row.kind, row.value): outcome for row, outcome in outcomes.items()}


def _outcome_of_batch(row: DenylistEntry, batch: DenylistBatch, at: datetime.datetime) -> Outcome:
    """Return what the batch does to a row, by the terms that the row has of its own."""
    if not row.has_own_terms:
        return Outcome.NEW
    return _outcome_over(
        (row.reason, row.expires_at),
        (row.next_reason or "", row.next_expires_at),
        is_in_force=row.expires_at is None or row.expires_at > at,
        is_replacing=batch.is_replacing,
    )


def as_it_was(row: DenylistEntry) -> DenylistEntryQuerySet:
    """Return the selection of a row that is empty if its terms have changed since it was read."""
    return DenylistEntry.objects.filter(
        pk=row.pk, reason=row.reason, expires_at=row.expires_at, batch=row.batch_id
    )


def terms_of(row: DenylistEntry) -> dict[str, Any]:
    """Return a row's own reason and end, for the audit trail."""
    return _terms(row.reason, row.expires_at)


def _terms(reason: str, expires_at: datetime.datetime | None) -> dict[str, Any]:
    """Return reason and end of an entry, for the audit trail."""
    return {"reason": reason, "expires_at": expires_at and expires_at.isoformat()}


def write_for_good(kind: str, value: str, *, reason: str, actor: Actor) -> None:
    """Add a normalized entry without an end in the caller's transaction.

    An entry without an end stays as it is. One with an end loses the end. The caller has to call
    ``void_intents_of`` after the commit.
    """
    existing = settled_row(kind, value)
    if existing is None or existing.expires_at is not None:
        write(kind, value, reason=reason, actor=actor, expires_at=None, is_replacing=True)


def entry_on_record(kind: str, value: str) -> DenylistEntry | None:
    """Return the entry of a normalized value, in force or expired, if there is one."""
    return DenylistEntry.objects.on_list().filter(kind=kind, value=value).first()


def terms_in_words(entry: DenylistEntry) -> str:
    """Return since when, until when, by whom and why an entry is on the denylist."""
    end = f"until {entry.ends_at:%Y-%m-%d %H:%M} UTC" if entry.ends_at else "for good"
    return (
        f"since {entry.created_at:%Y-%m-%d}, {end}, by {entry.created_by} "
        f"(reason: {shown(entry.reason)})"
    )


def signed_parts_on_record(kind: str, fingerprints: Sequence[str]) -> dict[str, str]:
    """Return the signed parts of the client certificates that entries name, as far as known."""
    if find_kind(kind).signed_identifier is None or not fingerprints:
        return {}
    enrolled = IssuedCertificate.objects.filter(client_fingerprint__in=fingerprints)
    known = enrolled.exclude(client_signed_sha256="").order_by()
    return dict(known.values_list("client_fingerprint", "client_signed_sha256").distinct())


def notify_observers(kind: str, *values: str) -> None:
    """Tell the observers of the record, in the caller's transaction, that entries have changed."""
    for part in in_parts(values):
        for observer in observers.registered():
            observer.denylist_changed(kind, *part)


def in_parts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield parts of a list, because databases limit the parameters of a statement."""
    for start in range(0, len(items), MOST_IN_STATEMENT):
        yield items[start : start + MOST_IN_STATEMENT]
