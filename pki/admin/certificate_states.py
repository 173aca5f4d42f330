"""States of certificates in words, and how many of a CA's or a profile's newest ones are live."""

import datetime
from typing import Any

from django.db.models import F, QuerySet
from django.db.models.lookups import GreaterThan, In
from django.utils import timezone

from pki.admin.bounded_count import newest
from pki.models import CertificateAuthority, IssuedCertificate
from pki.models.fields import NoIndex, first_identifier
from pki.record.bounded_counts import count_in_words, count_up_to

State = IssuedCertificate.State

_STILL_SIGNING = datetime.timedelta(hours=1)
"""How long requests that began before a CA had its successor may still be under way."""

EXPIRING = datetime.timedelta(days=30)
"""How long before its end a certificate is shown as expiring."""

_STATES = {
    State.INTENT: ("Intent", "open"),
    State.SUPERSEDED: ("Superseded", "past"),
    State.REVOKED: ("Revoked", "bad"),
    State.VOID: ("Void", "over"),
}


def status_of(row: IssuedCertificate) -> tuple[str, str]:
    """Return the word for a certificate's state now, and the kind of chip that shows it."""
    now = timezone.now()
    if row.state in _STATES and (row.state != State.SUPERSEDED or row.not_after > now):
        return _STATES[State(row.state)]
    if row.not_after <= now:
        return "Expired", "over"
    if row.not_after <= now + EXPIRING:
        return "Expiring", "soon"
    return "Active", "good"


def newest_of(ca: CertificateAuthority, rows: QuerySet[Any]) -> QuerySet[Any]:
    """Return those of ``rows`` that ``ca`` signed, among the newest that it may have signed."""
    successor = ca.successors.order_by("created_at").first()
    if successor is not None:
        rows = rows.filter(pk__lt=first_identifier(successor.created_at + _STILL_SIGNING))
    return newest(rows).filter(ca=ca)


def live_in_words(rows: QuerySet[Any]) -> str:
    """Return how many of the newest rows are live. ``newest`` says which rows are read, and how."""
    return count_in_words(count_up_to(live_among(rows)))


def live_among(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Return the live ones of the newest rows, without the indexes of state and expiry."""
    states = In(NoIndex(F("state")), [State.ISSUED, State.SUPERSEDED])
    is_valid = GreaterThan(NoIndex(F("not_after")), timezone.now())
    return rows.filter(states, is_valid)
