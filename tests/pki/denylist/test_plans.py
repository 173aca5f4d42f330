"""What the denylist asks of a fleet's record is found by indexes, and with few statements."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from pki.denylist.csv_import import read_lines
from pki.denylist.entries import certificates_concerned, certificates_named, deny
from pki.denylist.kinds import KINDS
from pki.jobs.denying import import_lines
from pki.models import IssuedCertificate
from pki.record.audit_trail import Actor
from pki.revocation.revoke import revoke_certificate
from tests.support.builders import make_csr

pytestmark = pytest.mark.django_db(transaction=True)

ACTOR = Actor("command:tester")
ON_SQLITE = pytest.mark.skipif(
    "sqlite" not in connection.settings_dict["ENGINE"], reason="SQLite's words"
)

ON_POSTGRESQL = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="PostgreSQL's words, in test_on_postgresql.py"
)


def values(kind, count=1):
    """Values that a kind takes."""
    made = [f"{number + 1:064x}" for number in range(count)]
    if kind.value == "serial":
        return [text.lstrip("0") for text in made]
    return made if kind.of_certificate else [f"thing-{number}" for number in range(count)]


def walks(queryset):
    """The steps of SQLite's plan that read a whole table of certificates."""
    return [
        step
        for step in queryset.explain().splitlines()
        if "SCAN pki_issuedcertificate" in step and "USING" not in step
    ]


@ON_SQLITE
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.value)
@pytest.mark.parametrize("count", [1, 3])
def test_what_an_entry_names_is_found_by_an_index(kind, count):
    named = values(kind, count)

    assert walks(certificates_named(kind.value, *named).live()) == []
    assert walks(certificates_concerned(kind.value, named[0]).live()) == []


@ON_POSTGRESQL
def test_on_postgresql_each_part_of_what_a_client_enrolled_has_an_index():
    """It walked the index of the expiry, which has the whole fleet, for a client that had none."""
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
    plan = certificates_concerned("client", "ab" * 32).order_by().explain()
    with connection.cursor() as cursor:
        cursor.execute("RESET enable_seqscan")

    assert "BitmapOr" in plan


@ON_SQLITE
def test_intents_are_found_by_an_index():
    assert walks(IssuedCertificate.objects.filter(state=IssuedCertificate.State.INTENT)) == []


def statements(do):
    with CaptureQueriesContext(connection) as queries:
        do()
    return [each["sql"] for each in queries if not each["sql"].startswith(("BEGIN", "COMMIT"))]


def an_import(first, count):
    """An import of so many lines of each kind."""
    lines = [
        f"{kind.value},{value},lost"
        for kind in KINDS
        for value in values(kind, first + count)[first:]
    ]
    return lambda: import_lines(
        read_lines("\n".join(["kind,value,reason", *lines]).encode()), actor=ACTOR
    )


def test_an_import_makes_two_statements_a_line_and_three_for_a_client():
    few, many = statements(an_import(0, 5)), statements(an_import(5, 25))

    # Name, device serial, key, serial: the entry and its row of the trail. Client and fingerprint:
    # the certificate's signed part, too.
    assert len(many) - len(few) <= 20 * (4 * 2 + 2 * 3) + 5


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.value)
def test_one_deny_makes_few_statements(kind):
    (value,) = values(kind)

    made = statements(lambda: deny(kind.value, value, reason="lost", actor=ACTOR))

    assert len(made) <= 7, made


def test_a_revocation_makes_few_statements(est_client):
    assert est_client.simpleenroll(make_csr("sensor-1")).status_code == 200
    certificate = IssuedCertificate.objects.get(common_name="sensor-1")

    made = statements(lambda: revoke_certificate(certificate, reason="superseded", actor=ACTOR))

    assert len(made) <= 9, made
