"""Each page of the admin reads as many rows for a large fleet as for a small one.

Time is not measured here, because it says little on a machine that does other things. SQLite
counts the steps of its virtual machine instead. They are the same in every run, and grow with the
table as soon as one statement walks it. The pages are those that `bench.console` finds in the site.
"""

from contextlib import contextmanager

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection, reset_queries, transaction
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from bench import fleet
from bench.console import pages
from bench.fill import insert, new_fleet, tables_of
from iotprov.admin import provisioning
from pki.admin import FactAdmin, bounded_count
from pki.record import bounded_counts
from tests.support.builders import make_csr

SMALL, LARGE = 1_000, 8_000

COUNTED, LOOKED_AT, SHOWN = 20, 100, 10
"""The bounds of a list in these tests, as far below ``SMALL`` as the real ones below a fleet."""

MOST_STATEMENTS = 15
"""Of one page: a certificate's takes twelve, with its trail, the denylist and AWS IoT."""

GROWING = (
    "estserver.pendinghook",
    "iotprov.provisioning",
    "pki.auditevent",
    "pki.denylistentry",
    "pki.issuedcertificate",
    "pki.job",
)
"""The tables that a fleet makes large."""

LEAST = 14_000
"""Steps that bounded numbers of rows may take. To read all of ``LARGE`` takes three a row."""

SLACK = 1.5
"""How much more work a page may be, for rows are not alike: a serial number is found in fewer steps
than another one."""


@pytest.fixture
def alice(installation, est_client, client, monkeypatch):
    """A browser in which the superuser alice is signed in, and lists with low bounds."""
    assert est_client.simpleenroll(make_csr("template")).status_code == 200
    monkeypatch.setattr(bounded_count, "MOST_COUNTED", COUNTED)
    monkeypatch.setattr(bounded_count, "MOST_LOOKED_AT", LOOKED_AT)
    monkeypatch.setattr(bounded_counts, "MOST_COUNTED", COUNTED)
    monkeypatch.setattr(provisioning, "MOST_COUNTED", COUNTED)
    monkeypatch.setattr(FactAdmin, "list_per_page", SHOWN)
    monkeypatch.setattr(fleet, "MOST_DENIED", 100)  # a denylist does not grow with the fleet
    client.alice = User.objects.create_superuser("alice")
    client.force_login(client.alice)
    return client


@contextmanager
def fleet_of(count):
    """A fleet on record, which is gone after the block."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            for template, rows in tables_of(new_fleet(count)):
                insert(cursor, template, rows())
        yield
        transaction.set_rollback(True)


def opened(client):
    """What opening each page took: its name, and (work, statements)."""
    found = {}
    for page in list(pages(admin.site, client.alice, are_combined=True)):
        if page.owner not in GROWING and page.what not in ("list", "change of row"):
            continue  # there are few rows of the others, and each has its page
        reset_queries()  # the log has an end
        steps = count_steps()
        with CaptureQueriesContext(connection) as queries:
            if ", sort " in page.what:  # hundreds of them, whose rows are shown like all others
                read_list(page, client.alice)
            else:
                status = client.get(page.url).status_code
                has_none = (page.owner, page.what) == ("pki.job", "file of row")
                # 403: rows that only services add. 404: the file of a job that makes none.
                assert status in (200, 302, 403) or (has_none and status == 404), (page, status)
        found[f"{page.owner} {page.what}"] = (steps(), len(queries))
    return found


def read_list(page, user):
    request = RequestFactory().get(page.url)
    request.user = user
    (model_admin,) = (
        one for model, one in admin.site._registry.items() if model._meta.label_lower == page.owner
    )
    list(model_admin.get_changelist_instance(request).result_list)


def count_steps():
    """Count the steps of SQLite's virtual machine from now on; what is returned says how many.

    https://docs.python.org/3/library/sqlite3.html#sqlite3.Connection.set_progress_handler
    """
    counted = []
    connection.connection.set_progress_handler(lambda: counted.append(1), 100)

    def stop():
        connection.connection.set_progress_handler(None, 0)
        return len(counted) * 100

    return stop


@pytest.mark.skipif("sqlite" not in connection.settings_dict["ENGINE"], reason="SQLite's steps")
@pytest.mark.django_db
@pytest.mark.timeout(1200)
def test_no_page_reads_more_rows_of_a_larger_fleet(alice):
    with fleet_of(SMALL):
        small = opened(alice)
    with fleet_of(LARGE):
        large = opened(alice)

    grown = {
        name: (small[name][0], work)
        for name, (work, _) in large.items()
        if name in small and work > small[name][0] * SLACK + LEAST
    }
    assert not grown
    many = {name: count for name, (_, count) in large.items() if count > MOST_STATEMENTS}
    assert not many
