"""The list of devices: a row for each thing name that has a holder, by state, page by page.

The row of a device is the one that says who holds its name. Each state has a condition that begins
with its rarest part, so that a page reads few rows in any fleet.
"""

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.lookups import GreaterThan, In
from django.utils import timezone

from pki.denylist.identifiers import RequestIdentifiers
from pki.denylist.kinds import KINDS, matching_entries
from pki.devices.states import DeviceState, name_conflicts, renewal_window, state_of
from pki.models import CertificateProfile, DenylistEntry, IssuedCertificate
from pki.models.fields import NoIndex
from pki.search.terms import starts_with

State = IssuedCertificate.State

_HAS_A_HOLDER = Q(name_owner__gt="")  # not `IS NOT NULL`, for which SQLite walks the table

PAGE = 50
"""Devices of a page."""

MOST_COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class ListedDevice:
    """A line of the list."""

    common_name: str
    state: DeviceState
    current: IssuedCertificate | None
    """The certificate that is issued, or that expired without a successor."""
    owner: IssuedCertificate


@dataclass(frozen=True, slots=True)
class DevicePage:
    """One page of the list."""

    devices: tuple[ListedDevice, ...]
    has_more: bool


def list_devices(
    state: DeviceState | None = None, *, beginning: str = "", after: str = "", most: int = PAGE
) -> DevicePage:
    """Return a page of devices in the order of their names.

    ``beginning`` is that of the names. ``after`` is the last name of the page before: a page is
    found by its place in the index, however far down it is. ``most`` is how many devices it has.
    """
    now = timezone.now()
    conflicts = name_conflicts(now)
    named = _named(beginning.casefold(), after.casefold())
    rows = _devices(state, now, conflicts, named)
    found = list(rows.order_by("name_owner").defer("der", "csr_der")[: most + 1])
    return DevicePage(
        tuple(_listed(found[:most], now, conflicts)),
        has_more=len(found) > most,
    )


def _named(beginning: str, after: str) -> Q:
    """Return the condition for the names, with one lower bound: SQLite begins at the first of two.

    So the place where a page begins decides, and not the beginning of all names.
    """
    if not after:
        return _begins_with(beginning) if beginning else _HAS_A_HOLDER
    behind = Q(name_owner__gt=after)
    if not after.startswith(beginning):
        return starts_with("name_owner", beginning) & behind
    if not beginning:
        return behind
    if connection.vendor == "sqlite":
        return behind & Q(name_owner__lt=beginning + "\U0010ffff")  # as `starts_with`
    return behind & starts_with("name_owner", beginning)


def _begins_with(beginning: str) -> Q:
    condition = starts_with("name_owner", beginning)
    if connection.vendor == "sqlite":  # it has the bound already
        return condition
    # PostgreSQL compares all names from the first one on, unless the index says where to begin.
    return condition & Q(name_owner__gte=beginning)


def count_devices(state: DeviceState | None = None) -> int:
    """Return how many devices are in a state, counted up to ``MOST_COUNTED`` + 1."""
    now = timezone.now()
    rows = _devices(state, now, name_conflicts(now)).order_by()
    return int(rows[: MOST_COUNTED + 1].count())


def _devices(
    state: DeviceState | None,
    now: datetime.datetime,
    conflicts: frozenset[str],
    named: Q = _HAS_A_HOLDER,
) -> QuerySet[IssuedCertificate]:
    holding = IssuedCertificate.objects.filter(named)
    if state is None:
        return holding
    if state is DeviceState.CONFLICTING:
        return holding.filter(name_owner__in=sorted(conflicts)[:MOST_COUNTED])
    holding = holding.exclude(name_owner__in=sorted(conflicts)[:MOST_COUNTED])
    denied = _denied_names()
    if state is DeviceState.DENIED:
        return holding.filter(name_folded__in=denied)
    return holding.exclude(name_folded__in=denied).filter(_CONDITIONS[state](now))


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


def _due(now: datetime.datetime) -> Q:
    """Return the condition for certificates whose renewal is due, by the profile of each."""
    windows: dict[datetime.timedelta, list[object]] = {}
    for profile in CertificateProfile.objects.only("id", "reenroll_window_days", "validity_days"):
        windows.setdefault(renewal_window(profile), []).append(profile.pk)
    due = Q(pk__in=[])
    for window, keys in windows.items():
        due |= Q(profile__in=keys, not_after__lte=now + window)
    return due


def _named_by(condition: Q) -> Q:
    """Return the condition for the names of certificates that are issued and meet a condition."""
    rows = IssuedCertificate.objects.filter(condition, state=State.ISSUED).order_by()
    return Q(name_folded__in=rows.values("name_folded"))


_NOT_ISSUED = tuple(state for state in State if state is not State.ISSUED)
"""Excluded instead of asking for ISSUED: SQLite would then read all issued rows for each name."""


def _of_the_name() -> QuerySet[IssuedCertificate]:
    return IssuedCertificate.objects.filter(name_folded=OuterRef("name_folded"))


def _has_another(condition: Q) -> Q:
    """Return the condition for names of which an issued certificate meets ``condition``.

    It looks at each name that is asked about: `_named_by` would list those of nearly a whole fleet.
    """
    return Q(Exists(_of_the_name().exclude(state__in=_NOT_ISSUED).filter(condition)))


def _stopped(now: datetime.datetime) -> Q:
    # A name without an issued certificate has one that was revoked, or an intent that came to
    # nothing: a certificate is superseded only by one that is issued.
    ended = IssuedCertificate.objects.filter(state__in=[State.REVOKED, State.VOID, State.INTENT])
    issued = _of_the_name().exclude(state__in=_NOT_ISSUED)
    return Q(name_folded__in=ended.order_by().values("name_folded")) & Q(~Exists(issued))


def _overdue(now: datetime.datetime) -> Q:
    return _named_by(Q(not_after__lte=now)) & ~_has_another(Q(not_after__gt=now))


def _is_due(now: datetime.datetime) -> Q:
    valid, due = Q(not_after__gt=now), _due(now)
    return _named_by(valid & due) & ~_has_another(valid & ~due)


def _new(now: datetime.datetime) -> Q:
    """Return the condition for a row that holds its name and is its only certificate."""
    # Many are, so a page is full soon along the index of names. That of the expiry has the fleet.
    is_issued = Q(In(NoIndex(F("state")), [State.ISSUED]))
    is_valid = Q(GreaterThan(NoIndex(F("not_after")), now))
    is_first = is_issued & Q(operation=IssuedCertificate.Operation.ENROLL)
    return is_first & is_valid & ~_due(now)


def _current(now: datetime.datetime) -> Q:
    return _has_another(Q(not_after__gt=now) & ~_due(now)) & ~_new(now)


_CONDITIONS = {
    DeviceState.STOPPED: _stopped,
    DeviceState.OVERDUE: _overdue,
    DeviceState.DUE: _is_due,
    DeviceState.NEW: _new,
    DeviceState.CURRENT: _current,
}


def _listed(
    rows: Sequence[IssuedCertificate], now: datetime.datetime, conflicts: frozenset[str]
) -> Iterable[ListedDevice]:
    """Yield the lines of a page, with a look at the certificates and one at the denylist."""
    names = [row.name_folded for row in rows]
    issued = (
        # Found by the names: an index of the state has the order, and a whole fleet.
        IssuedCertificate.objects.filter(
            In(NoIndex(F("state")), [State.ISSUED]), name_folded__in=names
        )
        .select_related("profile")
        .defer("der", "csr_der")
    )
    by_name: dict[str, IssuedCertificate] = {}
    for row in issued.order_by("not_after"):  # the one that is valid for longest comes last
        by_name[row.name_folded] = row
    denied = _denied_rows([*rows, *by_name.values()])
    for owner in rows:
        last = by_name.get(owner.name_folded)
        is_valid = last is not None and last.not_after > now
        yield ListedDevice(
            common_name=owner.common_name,
            state=state_of(
                current=last if is_valid else None,
                newest=last,
                owner=owner,
                is_denied=owner.name_folded in denied,
                is_conflicting=owner.name_folded in conflicts,
                at=now,
            ),
            current=last,
            owner=owner,
        )


def _denied_rows(rows: Sequence[IssuedCertificate]) -> set[str]:
    """Return the folded names of those rows that an entry in force names."""
    named = [(row, matching_entries(RequestIdentifiers.of_device(row))) for row in rows]
    values = {value for _, entries in named for _, value in entries}
    in_force = DenylistEntry.objects.in_force().filter(value__in=values).order_by()
    found = set(in_force.values_list("kind", "value"))
    return {row.name_folded for row, entries in named if not found.isdisjoint(entries)}
