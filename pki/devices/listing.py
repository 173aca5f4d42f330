"""The list of devices: a row for each thing name that has a holder, by state, page by page.

The row of a device is the one that says who holds its name. ``pki.devices.selections`` finds those
in one state.
"""

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import connection
from django.db.models import F, Q
from django.db.models.lookups import In
from django.utils import timezone

from pki.denylist.identifiers import RequestIdentifiers
from pki.denylist.kinds import matching_entries
from pki.devices.selections import HAS_A_HOLDER, count_in_state, in_state
from pki.devices.states import DeviceState, name_conflicts, state_of
from pki.models import DenylistEntry, IssuedCertificate
from pki.models.fields import NoIndex
from pki.record.bounded_counts import MOST_COUNTED
from pki.record.compilation import without_compiling
from pki.search.terms import starts_with

State = IssuedCertificate.State

PAGE = 50
"""Devices of a page."""


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
    rows = (
        IssuedCertificate.objects.filter(named)
        if state is None
        else in_state(state, now, conflicts, named)
    )
    with without_compiling():
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
        return _begins_with(beginning) if beginning else HAS_A_HOLDER
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
    if state is None:
        holding = IssuedCertificate.objects.filter(HAS_A_HOLDER).order_by()
        return int(holding[: MOST_COUNTED + 1].count())
    now = timezone.now()
    with without_compiling():
        return count_in_state(state, now, name_conflicts(now), MOST_COUNTED + 1)


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
