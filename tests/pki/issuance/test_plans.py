"""What an enrollment looks up is found by an index, however many certificates there are."""

from types import SimpleNamespace

import pytest
from django.db import connection

from pki.issuance.client_authentication import look_for_client
from pki.issuance.conflicting_rows import look_for_conflicts
from pki.issuance.judgement import look_for_serial
from pki.models import Generation

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
