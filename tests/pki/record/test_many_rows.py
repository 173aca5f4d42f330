"""Changes of many rows stay below what Aurora DSQL takes in a transaction: 3,000 rows."""

import datetime
from contextlib import contextmanager

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from pki.denylist.adding import Outcome
from pki.denylist.csv_import import read_lines
from pki.denylist.entries import deny
from pki.exceptions import Busy
from pki.issuance.rebind import rebind_names
from pki.jobs.denying import import_lines
from pki.models import AuditEvent, DenylistEntry, IssuedCertificate
from pki.operators.errors import OperatorError
from pki.record import audit_trail
from pki.record.intents import settle_intents
from pki.record.transactions import CHUNK, in_write_transaction, in_write_transactions
from pki.revocation.revoke import revoke_certificate
from tests.conftest import TESTER
from tests.support.builders import make_csr

MOST = 3_000
"""https://docs.aws.amazon.com/aurora-dsql/latest/userguide/CHAP_quotas.html"""
MANY = MOST // 3 + 1
"""Intents whose end is too much for a transaction: each is written to twice, and audited."""
CLIENT = "c1" * 32
State = IssuedCertificate.State

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def rows_of_each_transaction():
    """Yield a list that gets the number of rows of each transaction that commits.

    SQLite counts them. On Aurora DSQL the gate refuses the row that is too many.
    """
    counts, begun = [], [0]
    if connection.vendor != "sqlite":
        yield counts
        return
    connection.ensure_connection()
    database = connection.connection

    def note(statement):
        if statement.startswith("BEGIN"):
            begun[0] = database.total_changes
        elif statement.startswith("COMMIT"):
            counts.append(database.total_changes - begun[0])

    database.set_trace_callback(note)
    try:
        yield counts
    finally:
        database.set_trace_callback(None)


@pytest.fixture
def device(est_client):
    """Return the certificate of a device that enrolled."""
    est_client.simpleenroll(make_csr("sensor-1"))
    return IssuedCertificate.objects.for_name("sensor-1").get()


@pytest.fixture
def fleet(device):
    """Return a function that makes rows of things that the client ``CLIENT`` enrolled."""

    def make(count, **columns):
        like = {
            field.attname: getattr(device, field.attname)
            for field in IssuedCertificate._meta.concrete_fields
            if not field.unique
        }
        for start in range(0, count, CHUNK):
            IssuedCertificate.objects.bulk_create(
                IssuedCertificate(
                    **like
                    | {
                        "client_fingerprint": CLIENT,
                        "client_signed_sha256": "",
                        "holder_fingerprint": CLIENT,
                        "holder_signed_sha256": "",
                        "serial_number": f"{number:x}",
                        "common_name": f"thing-{number}",
                        "name_folded": f"thing-{number}",
                        "name_owner": f"thing-{number}",
                    }
                    | columns
                )
                for number in range(start, min(start + CHUNK, count))
            )

    return make


def test_a_deny_voids_more_intents_than_a_transaction_takes_rows(fleet):
    fleet(MANY, state=State.INTENT)

    with rows_of_each_transaction() as counts:
        deny("client", CLIENT, reason="stolen", actor=TESTER)

    assert max(counts, default=0) <= MOST
    assert IssuedCertificate.objects.filter(state=State.VOID).count() == MANY
    assert AuditEvent.objects.filter(action="void", reason="denied: client").count() == MANY
    assert audit_trail.verify()[1] is None


def test_abandoned_intents_are_settled_in_parts(fleet):
    fleet(CHUNK + 1, state=State.INTENT, created_at=timezone.now() - datetime.timedelta(days=1))

    with rows_of_each_transaction() as counts:
        assert settle_intents() == CHUNK + 1

    assert max(counts, default=0) <= 2 * CHUNK
    assert settle_intents() == 0


def test_a_revocation_voids_what_its_client_asked_for_in_parts(fleet, device):
    fleet(CHUNK + 1, state=State.INTENT, client_fingerprint=device.fingerprint_sha256)

    with rows_of_each_transaction() as counts:
        assert revoke_certificate(device, reason="superseded", actor=TESTER)

    assert max(counts, default=0) <= 2 * CHUNK
    assert IssuedCertificate.objects.filter(state=State.VOID).count() == CHUNK + 1


def test_names_move_to_another_client_in_parts_each_on_the_audit_trail(fleet, device):
    fleet(MOST + 1)
    to = device.client_fingerprint

    with rows_of_each_transaction() as counts:
        assert rebind_names(CLIENT, to, reason="replaced", actor=TESTER) == MOST + 1

    assert max(counts, default=0) <= MOST
    moved = IssuedCertificate.objects.filter(client_fingerprint=CLIENT, holder_fingerprint=to)
    assert moved.count() == MOST + 1
    rows = AuditEvent.objects.filter(action="rebind-all")
    assert sum(row.after["names"] for row in rows) == MOST + 1


def test_T17_an_import_that_was_cut_off_has_put_nothing_in_force_and_goes_on(db):
    lines = read_lines(
        b"kind,value,reason\n" + b"".join(b"name,t-%d,recall\n" % n for n in range(CHUNK + 2))
    )
    inserts = []

    def fail_at_the_third_insert(execute, sql, *arguments):
        if sql.startswith("INSERT") and "pki_denylistentry" in sql:
            inserts.append(sql)
            if len(inserts) == 3:
                raise OperationalError("disk full")
        return execute(sql, *arguments)

    with (
        rows_of_each_transaction() as counts,
        connection.execute_wrapper(fail_at_the_third_insert),
        pytest.raises(Busy),
    ):
        import_lines(lines, actor=TESTER)
    assert DenylistEntry.objects.count() > 0
    assert not DenylistEntry.objects.in_force().exists()
    assert not DenylistEntry.objects.on_list().exists()

    with rows_of_each_transaction() as more:
        outcomes = import_lines(lines, actor=TESTER)

    assert outcomes == [Outcome.NEW] * (CHUNK + 2)
    assert max([*counts, *more], default=0) <= 500
    # Each entry, the start, the moment in force, and the end.
    assert audit_trail.verify() == (CHUNK + 2 + 3, None)


def test_a_change_that_is_too_much_for_the_database_is_refused_in_a_sentence(db):
    def too_much():
        audit_trail.record("deny", actor=TESTER, target="name:a")
        raise OperationalError("transaction row limit exceeded") from LimitExceeded()

    in_write_transaction(lambda: audit_trail.record("deny", actor=TESTER, target="name:b"))
    with pytest.raises(OperatorError, match=r"^The change is more than .* in smaller parts\.$"):
        in_write_transaction(too_much)
    in_write_transaction(lambda: audit_trail.record("deny", actor=TESTER, target="name:c"))

    assert audit_trail.verify() == (2, None)


class LimitExceeded(Exception):
    """What psycopg raises at the limit, as far as it is looked at."""

    sqlstate = "54000"


def test_work_on_nothing_takes_no_transaction(db):
    with rows_of_each_transaction() as counts:
        assert in_write_transactions([], len) == []

    assert counts == []
