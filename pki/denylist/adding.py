"""Add entries to the denylist, and say what becomes of one that is there already.

Adding never changes an entry in force unless the caller says so. The right to add one would
otherwise be the right to end every other.
"""

import datetime
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any, TypeVar

from pki.csr.thing_names import shown
from pki.denylist.kinds import find_kind
from pki.models import DenylistEntry, IssuedCertificate
from pki.record import audit_trail, observers
from pki.record.audit_trail import Actor

T = TypeVar("T")
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
    keeps its terms. An expired entry stops nothing, so it gets the new terms in any case.
    """
    if existing is None:
        return Outcome.NEW
    if (existing.reason, existing.expires_at) == (reason, expires_at):
        return Outcome.SAME
    return Outcome.CHANGED if is_replacing or not existing.is_in_force else Outcome.KEPT


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
    outcome = write_over(
        entry_on_record(kind, value),
        kind,
        value,
        reason=reason,
        actor=actor,
        expires_at=expires_at,
        signed_sha256=signed_sha256,
        is_replacing=is_replacing,
    )
    if outcome:
        notify_observers(kind, value)
    return outcome


def write_over(
    existing: DenylistEntry | None,
    kind: str,
    value: str,
    *,
    reason: str,
    actor: Actor,
    expires_at: datetime.datetime | None,
    signed_sha256: str | None = None,
    is_replacing: bool = False,
) -> Outcome:
    """Do what `write` does where ``existing`` is on record, and tell no observer."""
    signed_sha256 = signed_sha256 or _signed_part_on_record(kind, value)
    before = None if existing is None else _terms(existing.reason, existing.expires_at)
    outcome = outcome_of_adding(existing, reason, expires_at, is_replacing=is_replacing)
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
        is_more_known = existing.signed_sha256 is None and signed_sha256 is not None
        existing.signed_sha256 = existing.signed_sha256 or signed_sha256
        if outcome:
            existing.reason, existing.expires_at = reason, expires_at
        if outcome or is_more_known:
            existing.save()
    if outcome:
        audit_trail.record(
            "deny",
            actor=actor,
            target=f"{kind}:{value}",
            reason=reason,
            before=before,
            after=_terms(reason, expires_at),
        )
    return outcome


def _terms(reason: str, expires_at: datetime.datetime | None) -> dict[str, Any]:
    """Return reason and end of an entry, for the audit trail."""
    return {"reason": reason, "expires_at": expires_at and expires_at.isoformat()}


def write_for_good(kind: str, value: str, *, reason: str, actor: Actor) -> None:
    """Add a normalized entry without an end in the caller's transaction.

    An entry without an end stays as it is. One with an end loses the end. The caller has to call
    ``void_intents_of`` after the commit.
    """
    existing = DenylistEntry.objects.filter(kind=kind, value=value).first()
    if existing is None or existing.expires_at is not None:
        write(kind, value, reason=reason, actor=actor, expires_at=None, is_replacing=True)


def entry_on_record(kind: str, value: str) -> DenylistEntry | None:
    """Return the entry of a normalized value, in force or expired, if there is one."""
    return DenylistEntry.objects.filter(kind=kind, value=value).first()


def terms_in_words(entry: DenylistEntry) -> str:
    """Return since when, until when, by whom and why an entry is on the denylist."""
    end = f"until {entry.expires_at:%Y-%m-%d %H:%M} UTC" if entry.expires_at else "for good"
    return (
        f"since {entry.created_at:%Y-%m-%d}, {end}, by {entry.created_by} "
        f"(reason: {shown(entry.reason)})"
    )


def _signed_part_on_record(kind: str, fingerprint: str) -> str | None:
    """Return the signed part of the client certificate that an entry names, if one is on record."""
    if find_kind(kind).signed_identifier is None:
        return None
    enrolled = IssuedCertificate.objects.filter(client_fingerprint=fingerprint)
    known = enrolled.exclude(client_signed_sha256="").order_by()
    return known.values_list("client_signed_sha256", flat=True).first()


def notify_observers(kind: str, *values: str) -> None:
    """Tell the observers of the record, in the caller's transaction, that entries have changed."""
    for part in in_parts(values):
        for observer in observers.registered():
            observer.denylist_changed(kind, *part)


def in_parts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield parts of a list, because databases limit the parameters of a statement."""
    for start in range(0, len(items), MOST_IN_STATEMENT):
        yield items[start : start + MOST_IN_STATEMENT]
