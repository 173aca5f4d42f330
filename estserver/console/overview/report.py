"""The whole overview as one value, for the page and for ``manage.py notices``."""

from collections.abc import Callable
from dataclasses import dataclass

from estserver.console.overview.authorities import Card, read_cards
from estserver.console.overview.fleet import Fleet, RefusedFor, read_fleet, read_refusals
from estserver.console.overview.notice_rules import find_notices
from estserver.console.overview.notices import (
    Notice,
    Notices,
    sort_notices,
)
from estserver.console.overview.work import Truststore, Waiting, read_truststore, read_waiting


@dataclass(frozen=True, slots=True)
class Overview:
    """What the overview shows."""

    cards: list[Card]
    fleet: Fleet
    waiting: list[Waiting]
    truststore: Truststore | None
    refusals: list[RefusedFor]
    notices: Notices


def read_overview() -> Overview:
    """Return everything that the overview shows, by ten statements at most."""
    cards, fleet = read_cards(), read_fleet()
    waiting, truststore = read_waiting(), read_truststore()
    found = find_notices(cards, fleet, waiting, truststore)
    return Overview(cards, fleet, waiting, truststore, read_refusals(), sort_notices(found))


def present_notices() -> list[Notice]:
    """Return what is wrong now."""
    return find_notices(read_cards(), read_fleet(), read_waiting(), read_truststore())


def notice(key: str, among: Callable[[], list[Notice]] = present_notices) -> Notice | None:
    """Return the notice with this key; ``None`` if it is solved, or there is no such key."""
    return next((one for one in among() if one.key == key), None)
