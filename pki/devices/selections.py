"""The rows of devices in one state, and how many there are: conditions that an index answers.

A device is the row that holds its name. Three states are found by certificates that few devices of
a sound fleet have: ended, expired, or about to expire. Where there are few of these, their names
are looked up. Where there are many, a page is full soon along the index of names, which is then
walked. They are counted from the certificates' side, as far as devices are counted. Most of a fleet
is in the other states, whose names are walked in any case.
"""

import datetime
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.lookups import GreaterThan, In, IsNull

from pki.denylist.kinds import KINDS
from pki.devices.states import DeviceState, renewal_window
from pki.models import CertificateProfile, DenylistEntry, IssuedCertificate
from pki.models.fields import NoIndex
from pki.record.bounded_counts import MOST_COUNTED

State = IssuedCertificate.State

HAS_A_HOLDER = Q(name_owner__gt="")  # not `IS NOT NULL`, for which SQLite walks the table

MOST_LOOKED_UP = 10_000
"""Names that are looked up one by one. Of more, a page is full soon along the index of names."""

_ENDED = (State.REVOKED, State.VOID, State.INTENT)


@dataclass(frozen=True, slots=True)
class _Sought:
    """By which certificate a device in a state is known."""

    states: tuple[State, ...]
    condition: Q
    """Of such a certificate, beside its state."""
    unless: Q
    """Of an issued certificate of the same name, with which the device is in another state."""

    def certificates(self) -> QuerySet[IssuedCertificate]:
        """Return all such certificates, found by the index of states and expiry."""
        found = IssuedCertificate.objects.filter(self.condition, state__in=self.states)
        return found.order_by()

    def of_the_name(self) -> QuerySet[IssuedCertificate]:
        """Return those of the outer row's name."""
        return _of_the_name(*self.states).filter(self.condition)

    def of_another_state(self) -> QuerySet[IssuedCertificate]:
        """Return those of the outer row's name with which the device is in another state."""
        return _of_the_name(State.ISSUED).filter(self.unless)


def in_state(
    state: DeviceState, now: datetime.datetime, conflicts: frozenset[str], named: Q = HAS_A_HOLDER
) -> QuerySet[IssuedCertificate]:
    """Return the rows that hold the names of the devices in ``state``.

    ``conflicts`` are the folded names that `name_conflicts` returns, ``named`` the condition for
    the names.
    """
    holding = IssuedCertificate.objects.filter(named)
    if state is DeviceState.CONFLICTING:
        return holding.filter(name_owner__in=_some(conflicts))
    holding = holding.exclude(name_owner__in=_some(conflicts))
    if state is DeviceState.DENIED:
        return holding.filter(name_folded__in=_denied_names())
    holding = holding.exclude(name_folded__in=_denied_names())
    sought = _sought(state, now)
    if sought is None:
        return holding.filter(_new(now) if state is DeviceState.NEW else _current(now))
    certificates = sought.certificates()
    if certificates[: MOST_LOOKED_UP + 1].count() <= MOST_LOOKED_UP:
        # A join, because few rows are left before it.
        few = holding.filter(name_folded__in=certificates.values("name_folded"))
        return few.filter(~Exists(sought.of_another_state()))
    return holding.filter(_has(sought.of_the_name()), ~_has(sought.of_another_state()))


def count_in_state(
    state: DeviceState, now: datetime.datetime, conflicts: frozenset[str], most: int
) -> int:
    """Return how many devices are in ``state``, counted up to ``most``."""
    sought = _sought(state, now)
    if sought is None:
        return int(in_state(state, now, conflicts).order_by()[:most].count())
    of_the_name = IssuedCertificate.objects.filter(name_owner=OuterRef("name_folded"))
    rows = sought.certificates().filter(
        _has(of_the_name),
        ~_has(sought.of_another_state()),
        # One for each device: the last of its certificates.
        ~_has(sought.of_the_name().filter(pk__gt=OuterRef("pk"))),
    )
    others = rows.exclude(name_folded__in=_some(conflicts))
    return int(others.exclude(name_folded__in=_denied_names())[:most].count())


def _some(names: frozenset[str]) -> list[str]:
    return sorted(names)[:MOST_COUNTED]


def _sought(state: DeviceState, now: datetime.datetime) -> _Sought | None:
    """Return by which certificates devices in ``state`` are found; ``None`` if most have them."""
    match state:
        case DeviceState.STOPPED:
            # A name without an issued certificate has one that was revoked, or an intent that came
            # to nothing: a certificate is superseded only by one that is issued.
            return _Sought(_ENDED, condition=Q(), unless=Q())
        case DeviceState.OVERDUE:
            return _Sought(
                (State.ISSUED,), condition=Q(not_after__lte=now), unless=Q(not_after__gt=now)
            )
        case DeviceState.DUE:
            valid, due = Q(not_after__gt=now), _due(now)
            return _Sought((State.ISSUED,), condition=valid & due, unless=valid & ~due)
    return None


def _of_the_name(*states: State) -> QuerySet[IssuedCertificate]:
    """Return the certificates in ``states`` of the outer row's name, found by the name."""
    rows = IssuedCertificate.objects.filter(name_folded=OuterRef("name_folded"))
    return rows.filter(In(NoIndex(F("state")), [*states])).order_by()


def _has(rows: QuerySet[IssuedCertificate]) -> Q:
    """Return the condition that there is one of ``rows``, which are those of an outer row.

    Rows are looked at one by one, until there are enough of them. PostgreSQL would make a join of
    EXISTS, and read the whole table for it.
    """
    return Q(IsNull(Subquery(rows.values("pk")[:1]), False))


def _due(now: datetime.datetime) -> Q:
    """Return the condition for certificates whose renewal is due, by the profile of each."""
    windows: dict[datetime.timedelta, list[object]] = {}
    for profile in CertificateProfile.objects.only("id", "reenroll_window_days", "validity_days"):
        windows.setdefault(renewal_window(profile), []).append(profile.pk)
    due = Q(pk__in=[])
    for window, keys in windows.items():
        due |= Q(profile__in=keys, not_after__lte=now + window)
    # What no profile's window reaches is not looked at, so the index of the expiry has an end.
    return due & Q(not_after__lte=now + max(windows, default=datetime.timedelta()))


def _new(now: datetime.datetime) -> Q:
    """Return the condition for a row that holds its name and is its only certificate."""
    # Many are, so a page is full soon along the index of names. That of the expiry has the fleet.
    is_issued = Q(In(NoIndex(F("state")), [State.ISSUED]))
    is_valid = Q(GreaterThan(NoIndex(F("not_after")), now))
    is_first = is_issued & Q(operation=IssuedCertificate.Operation.ENROLL)
    return is_first & is_valid & ~_due(now)


def _current(now: datetime.datetime) -> Q:
    is_current = Q(not_after__gt=now) & ~_due(now)
    return _has(_of_the_name(State.ISSUED).filter(is_current)) & ~_new(now)


def _denied_names() -> QuerySet[Any, str]:
    """Return the names of which the denylist names a certificate in use, kind by kind.

    A union, each part of which begins at the entries of its kind: they are few beside a fleet. For
    most of them, those for names, no certificate is looked up: the row that holds a name is in use.
    """
    in_force = DenylistEntry.objects.in_force().order_by()
    parts: list[QuerySet[Any, str]] = [
        in_force.filter(kind=kind.value).values_list("value", flat=True)
        if kind.column == "name_folded"
        else _in_use()
        .filter(**{f"{kind.column}__in": in_force.filter(kind=kind.value).values("value")})
        .values_list("name_folded", flat=True)
        for kind in KINDS
    ]
    return parts[0].union(*parts[1:])


def _in_use() -> QuerySet[IssuedCertificate]:
    """Return the rows that a device's next request is compared by: its owner's, and the last."""
    return IssuedCertificate.objects.filter(Q(state=State.ISSUED) | ~Q(name_owner=None)).order_by()
