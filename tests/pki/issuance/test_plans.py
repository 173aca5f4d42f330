"""What an enrollment looks up is found by an index, however many certificates there are."""

from types import SimpleNamespace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bench.fill import insert, new_fleet, tables_of
from pki.issuance.client_authentication import look_for_client
from pki.issuance.conflicting_rows import look_for_conflicts
from pki.issuance.judgement import look_for_serial
from pki.models import Generation, IssuedCertificate
from tests.support.builders import make_csr, make_key

REQUEST = SimpleNamespace(
    name_folded="sensor-1",
    current_name="default:sensor-1",
    idempotency_key="0" * 64,
    csr=SimpleNamespace(key_sha256="1" * 64),
    client=SimpleNamespace(fingerprint="2" * 64),
)


def plan(look):
    """Return the database's plan, in which PostgreSQL may walk no table that has an index."""
    is_sqlite = connection.vendor == "sqlite"
    with connection.cursor() as cursor:
        if not is_sqlite:  # in the test's transaction
            cursor.execute("SET LOCAL enable_seqscan = off")
        explain = "EXPLAIN QUERY PLAN" if is_sqlite else "EXPLAIN"
        cursor.execute(f"{explain} {look.statement}", look.values)
        return "\n".join(str(row[-1]) for row in cursor.fetchall())


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("look", "columns"),
    [
        (lambda: look_for_client("2" * 64), ["fingerprint_sha256"]),
        (
            lambda: look_for_conflicts(REQUEST),
            ["name_owner", "key_owner", "current_name", "request_key", "fingerprint_sha256"],
        ),
        (lambda: look_for_serial(REQUEST), ["name_folded"]),
        (Generation.look, ["id"]),
    ],
    ids=["client", "conflicts", "serial", "generation"],
)
def test_every_look_of_an_enrollment_uses_its_index(installation, look, columns):
    steps = plan(look())
    assert "SCAN pki" not in steps, steps
    assert "Seq Scan" not in steps, steps
    conditions = steps.replace(")::text", "").replace(" = ", "=")
    missing = [column for column in columns if f"{column}=" not in conditions]
    assert not missing, steps


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
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            steps = [row[-1] for row in cursor.fetchall()]
            return [
                step
                for step in steps
                if step.startswith("SCAN ")
                and not step.removeprefix("SCAN ").startswith(SMALL_TABLES)
            ]
        cursor.execute(f"EXPLAIN {sql}")
        steps = [row[0] for row in cursor.fetchall()]
        return [step for step in steps if "Seq Scan on" in step and not any(
            small in step for small in SMALL_TABLES
        )]  # fmt: skip


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
