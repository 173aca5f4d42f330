"""Rows that are found first and sorted afterwards: no index of the order is walked for them."""

import pytest
from django.db import connection

from pki.models import DenylistEntry
from pki.record import bounded_counts
from pki.record.bounded_counts import found_first

pytestmark = pytest.mark.django_db


@pytest.fixture
def entries(db):
    """Three entries of the denylist, made in another order than that of their values."""
    for value in ("b", "c", "a"):
        DenylistEntry.objects.create(kind="name", value=value, reason="lost", created_by="tester")
    return DenylistEntry.objects.filter(value__in=["a", "b", "c"])


@pytest.mark.parametrize("ordering", [["value"], ["-value"], ["pk"], ["kind", "-pk"]])
def test_what_is_found_is_in_the_order_that_is_asked_for(entries, ordering):
    found = found_first(DenylistEntry.objects.all(), entries, ordering)

    assert list(found) == list(entries.order_by(*ordering))
    assert len(found) == 3


def test_no_more_is_found_than_is_counted(entries, monkeypatch):
    monkeypatch.setattr(bounded_counts, "MOST_COUNTED", 2)

    assert len(found_first(DenylistEntry.objects.all(), entries, ["value"])) == 2


def test_on_postgresql_the_order_is_that_of_an_expression(entries):
    """At a million rows it walked the index of the key backwards, in search of old ones."""
    sql = str(found_first(DenylistEntry.objects.all(), entries, ["-pk"]).query)

    assert ("COALESCE" in sql.partition("ORDER BY")[2]) == (connection.vendor == "postgresql")
