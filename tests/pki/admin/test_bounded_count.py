"""A list says that there are more rows than it counted, and counts no further."""

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from pki.admin import bounded_count
from tests.support.builders import make_csr, make_key

LIST = "admin:pki_issuedcertificate_changelist"


@pytest.fixture
def page(installation, est_client, client, monkeypatch):
    """The list of certificates, which counts to the number that is given."""
    for number in range(4):
        csr = make_csr(f"sensor-{number}", key=make_key("ec-p256", number))
        assert est_client.simpleenroll(csr).status_code == 200
    client.force_login(User.objects.create_superuser("alice"))

    def show(most, **query):
        monkeypatch.setattr(bounded_count, "MOST_COUNTED", most)
        return client.get(reverse(LIST), query).text

    return show


def test_more_rows_than_are_counted_are_said_in_words(page):
    assert "more than 3\n" not in page(5)
    shown = page(3)

    assert "more than 3 issued certificates" in " ".join(shown.split())
    assert "more than 3 results" in " ".join(page(3, q="s").split())


def test_few_rows_are_counted(page):
    shown = " ".join(page(10).split())

    assert "5 issued certificates" in shown  # with the client's own
    assert "4 results" in " ".join(page(10, q="sensor").split())


def test_no_statement_counts_beyond_the_bound(page):
    with CaptureQueriesContext(connection) as queries:
        page(3)

    counting = [each["sql"] for each in queries if "COUNT(" in each["sql"]]
    assert counting
    assert all("LIMIT 4" in sql for sql in counting if "pki_issuedcertificate" in sql), counting
