"""Each list of the API, with each filter, reads as many rows for a large fleet as for a small one.

As `tests.estserver.console.test_fleet_pages` does for the pages: SQLite counts the steps of its
virtual machine, which are the same in every run.
"""

import datetime

import pytest
from django.db import connection, reset_queries
from django.test.utils import CaptureQueriesContext
from django.urls import resolve
from django.utils.module_loading import import_string

from bench import fleet
from bench.api_calls import calls
from estserver.api.routes import ROOM, ROUTES
from estserver.people import api_tokens
from pki.admin import bounded_count
from pki.devices import record, states
from pki.models import AuditEvent
from pki.record import bounded_counts
from pki.search import newest
from tests.estserver.console.test_fleet_pages import (
    COUNTED,
    LARGE,
    LEAST,
    LOOKED_AT,
    SLACK,
    SMALL,
    count_steps,
    fleet_of,
)
from tests.support.builders import make_csr

LIMIT = 10
MOST_STATEMENTS = {True: 10, False: 20}
"""Of a page of a list: three for the token, up to five for what a filter means, one or two for the
rows. Other calls tell all that is known of a device, or the numbers of the fleet."""


NO_ROWS = {"certificate_file", "job_file", "audit_export", "document_version"}
"""Addresses that answer with a file of any length, or with one document of few."""


COUNTING = ("overviewoverview", "noticesnotices", "devicesdevices")
"""Calls that read an index of the fleet: the exact numbers of it, and the names in one state."""

STEPS_OF_COUNTING = 20
"""Of SQLite's machine for a certificate, at most. Without an index there would be more."""


def view_of(name):
    """The class that answers at an address of the API, by the address's name."""
    (path,) = (view for _, view, known in ROUTES if known == name)
    return import_string(f"{ROOM}.{path}")


def takes_limit(path):
    view = view_of(resolve(f"/api/v1/{path}").url_name)
    return view.query is not None and "limit" in view.query().fields


def most_more(path, filters):
    """How many more steps a call may take for the larger fleet."""
    is_counting = path in COUNTING and "beginning" not in filters
    return (LARGE - SMALL) * STEPS_OF_COUNTING if is_counting else LEAST


def asked(program):
    """What each list took for two pages that follow each other: (steps, statements of one)."""
    found = {}
    for number, (path, filters) in enumerate(calls()):
        cursor, pages = "", 0
        while pages < 2 and cursor is not None:
            bounds = {"limit": LIMIT} if takes_limit(path) else {}
            given = {**bounds, **filters, **({"cursor": cursor} if cursor else {})}
            reset_queries()
            steps = count_steps()
            with CaptureQueriesContext(connection) as queries:
                answer = program.get(path, **given)
            assert answer.status_code == 200, (path, given, answer.content)
            is_list = bool(bounds)
            text = path.split("/")[0] + path.rpartition("/")[2]
            name = text, tuple(filters), is_list, number, pages
            found[name] = (steps(), len(queries))
            cursor, pages = answer.json().get("next_cursor"), pages + 1
    return found


@pytest.mark.django_db
def test_each_address_that_shows_rows_is_measured(est_client, installation):
    assert est_client.simpleenroll(make_csr("template")).status_code == 200
    with fleet_of(50):
        measured = {resolve(f"/api/v1/{path}").url_name for path, _ in calls()}

    shown = {name for _, _, name in ROUTES if hasattr(view_of(name), "get")}
    assert shown - measured == NO_ROWS


@pytest.mark.skipif("sqlite" not in connection.settings_dict["ENGINE"], reason="SQLite's steps")
@pytest.mark.django_db
def test_no_list_reads_more_rows_of_a_larger_fleet(officer, est_client, monkeypatch):
    assert est_client.simpleenroll(make_csr("template")).status_code == 200
    assert officer.get("token").status_code == 200  # its use is noted, and not again
    monkeypatch.setattr(bounded_count, "MOST_LOOKED_AT", LOOKED_AT)
    monkeypatch.setattr(bounded_counts, "MOST_COUNTED", COUNTED)
    monkeypatch.setattr(newest, "MOST_ROWS", LOOKED_AT)
    monkeypatch.setattr(states, "MOST_EVENTS", LOOKED_AT)
    monkeypatch.setattr(record, "MOST_COUNTED", COUNTED)
    monkeypatch.setattr(api_tokens, "USE_NOTED_EVERY", datetime.timedelta(days=1))
    monkeypatch.setattr(fleet, "MOST_DENIED", 100)  # a denylist does not grow with the fleet

    with fleet_of(SMALL):
        small = asked(officer)
    with fleet_of(LARGE):
        large = asked(officer)
        assert AuditEvent.objects.count() > LARGE

    grown = {
        name: (small[name][0], steps)
        for name, (steps, _) in large.items()
        if name in small and steps > small[name][0] * SLACK + most_more(*name[:2])
    }
    assert not grown
    many = {name: count for name, (_, count) in large.items() if count > MOST_STATEMENTS[name[2]]}
    assert not many
    assert len(large) > 40
