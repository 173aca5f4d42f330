"""No statement of an enrollment, a renewal or a refusal reads a whole table of a fleet."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bench.fill import insert, new_fleet, tables_of
from pki.models import IssuedCertificate
from tests.support.builders import make_csr, make_key

SMALL_TABLES = (
    "CONSTANT ROW",
    "pki_certificateauthority",
    "pki_certificateprofile",
    "pki_generation",
    "distrusted",  # CAs, under the name that a statement gives them
)
"""What SQLite may scan: tables of which an installation has few rows, and values."""


@pytest.fixture
def fleet(est_client):
    """Some thousand rows beside the requests of a test."""
    assert est_client.simpleenroll(make_csr("template")).status_code == 200
    with connection.cursor() as cursor:
        for template, rows in tables_of(new_fleet(1_500)):
            insert(cursor, template, rows())


def walks(sql):
    """The steps of a statement's plan that read a whole table of a fleet."""
    is_sqlite = connection.vendor == "sqlite"
    with connection.cursor() as cursor:
        if not is_sqlite:  # in the test's transaction; the denylist is too short for an index
            cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}" if is_sqlite else f"EXPLAIN {sql}")
        steps = [row[-1] for row in cursor.fetchall()]
    begin = "SCAN " if is_sqlite else "Seq Scan on "
    tables = [step.partition(begin)[2] for step in steps if begin in step]
    return [table for table in tables if not table.startswith(SMALL_TABLES)]


@pytest.mark.django_db
@pytest.mark.parametrize("is_analyzed", [False, True])
def test_no_statement_of_a_request_walks_a_fleet(est_client, fleet, is_analyzed):
    if is_analyzed or connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
    with CaptureQueriesContext(connection) as queries:
        enrolled = est_client.simpleenroll(make_csr("sensor-1", key=make_key(index=1)))
        device = est_client.using(enrolled.certificate)
        renewed = device.simplereenroll(make_csr("sensor-1", key=make_key(index=2)))
        refused = est_client.simpleenroll(make_csr("sensor-2", key=make_key(index=2)))
    assert [answer.status_code for answer in (enrolled, renewed, refused)] == [200, 200, 403]

    run = [each["sql"] for each in queries]
    # Not INSERT: its plan at SQLite shows a scan for rows that name the new one as predecessor,
    # which only runs while a deferred foreign key is violated (https://sqlite.org/foreignkeys.html).
    statements = [sql for sql in run if sql.startswith(("SELECT", "UPDATE", "DELETE"))]
    walked = {sql: steps for sql in statements if (steps := walks(sql))}

    assert not walked
    if connection.vendor == "sqlite":  # others send several at once, past Django's cursor
        assert len([sql for sql in statements if sql.startswith("UPDATE")]) >= 2
        assert any("pki_denylistentry" in sql for sql in statements)
        assert any("new_name_of = " in sql for sql in statements)


@pytest.mark.skipif("sqlite" not in connection.settings_dict["ENGINE"], reason="SQLite's plan")
@pytest.mark.django_db
@pytest.mark.parametrize("selection", ["live", "current"])
def test_live_certificates_of_a_name_are_found_by_the_name(fleet, selection):
    rows = getattr(IssuedCertificate.objects.for_name("sensor-1"), selection)()

    (step, *others) = [
        line
        for line in rows.order_by().explain().splitlines()
        if "Index" in line or "INDEX" in line
    ]

    assert "name_folded" in step, step
    assert not any("certificate_state" in one for one in others), others
