"""T17, T21: when a write fails, nothing is released that isn't on record, and nothing is guessed.

The failures are the database's own: a trigger that refuses one kind of write, and a database that
can be read only.
"""

from contextlib import contextmanager

import pytest
from django.db import Error, connection

from pki.denylist.entries import deny
from pki.exceptions import Busy
from pki.models import AuditEvent, DenylistEntry, IssuedCertificate
from pki.operators.errors import OperatorError
from pki.record import audit_trail
from tests.conftest import TESTER
from tests.pki.state.door import IS_POSTGRESQL
from tests.pki.state.invariants import check_invariants, check_signed
from tests.support.builders import make_csr
from tests.support.dsql import past_the_gate

State = IssuedCertificate.State


def run(*statements):
    if past_the_gate.IS_DSQL:  # which lets no client make triggers
        past_the_gate.run(*statements)
        return
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@contextmanager
def refused_writes(event, table, condition="true"):
    """A trigger that makes each write of this kind fail while ``condition`` holds for NEW."""
    if IS_POSTGRESQL:
        run(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'refused by the test'; END $$",
            f"CREATE TRIGGER refuse BEFORE {event} ON {table} FOR EACH ROW "
            f"WHEN ({condition}) EXECUTE FUNCTION refuse()",
        )
        undo = (f"DROP TRIGGER refuse ON {table}", "DROP FUNCTION refuse()")
    else:
        run(
            f"CREATE TRIGGER refuse BEFORE {event} ON {table} WHEN {condition} "
            "BEGIN SELECT RAISE(ABORT, 'refused by the test'); END"
        )
        undo = ("DROP TRIGGER refuse",)
    try:
        yield
    finally:
        run(*undo)


@contextmanager
def read_only_database():
    """A database that answers and takes nothing: a full disk, a replica after a failover."""
    if past_the_gate.IS_DSQL:
        with past_the_gate.read_only():
            yield
        return
    on, off = (
        ("SET default_transaction_read_only = on", "SET default_transaction_read_only = off")
        if IS_POSTGRESQL
        else ("PRAGMA query_only = on", "PRAGMA query_only = off")
    )
    run(on)
    try:
        yield
    finally:
        run(off)


def snapshot():
    """Everything on record."""
    rows = IssuedCertificate.objects.order_by("pk").values_list("pk", "state", "serial_number")
    return list(rows), AuditEvent.objects.count()


INTENT_WRITES = {
    "intent": ("INSERT", "pki_issuedcertificate", "true"),
    "audit of the intent": ("INSERT", "pki_auditevent", "NEW.action = 'intent'"),
}

ISSUED_WRITES = {
    "issued": ("UPDATE", "pki_issuedcertificate", "NEW.state = 'issued'"),
    "audit of the issue": ("INSERT", "pki_auditevent", "NEW.action = 'issue'"),
}


@pytest.mark.parametrize("what", INTENT_WRITES)
def test_T21_intent_that_cannot_be_written_is_never_signed(device, signer, what):
    csr = make_csr("sensor-1")
    before = snapshot()[0]

    with refused_writes(*INTENT_WRITES[what]):
        reply = device.simpleenroll(csr)

    assert (reply.status_code, reply.reason) == (503, "database-unavailable")
    assert signer.signed == []
    assert snapshot()[0] == before
    assert device.simpleenroll(csr).status_code == 200
    check_invariants()


@pytest.mark.parametrize("what", ISSUED_WRITES)
def test_T21_certificate_that_cannot_be_recorded_is_never_released(device, signer, what):
    csr = make_csr("sensor-1")

    with refused_writes(*ISSUED_WRITES[what]):
        reply = device.simpleenroll(csr)

    assert (reply.status_code, reply.reason) == (503, "database-unavailable")
    assert IssuedCertificate.objects.for_name("sensor-1").get().state == State.INTENT
    check_signed(signer.signed)
    certificate = device.simpleenroll(csr).certificate
    assert {f"{certificate.serial_number:x}"} == set(signer.signed)
    check_invariants()


def test_T21_read_only_database_answers_503_and_signs_nothing(device, signer):
    csr = make_csr("sensor-1")
    before = snapshot()

    with read_only_database():
        reply = device.simpleenroll(csr)
        assert device.cacerts().status_code == 200

    assert (reply.status_code, reply.reason) == (503, "database-unavailable")
    assert "retry-after" in reply.headers
    assert signer.signed == []
    assert snapshot() == before
    assert device.simpleenroll(csr).status_code == 200
    check_invariants()


def test_T17_denylist_that_cannot_be_read_lets_nobody_pass(device, signer):
    run("ALTER TABLE pki_denylistentry RENAME TO elsewhere")
    try:
        reply = device.simpleenroll(make_csr("sensor-1"))
    finally:
        run("ALTER TABLE elsewhere RENAME TO pki_denylistentry")

    assert (reply.status_code, reply.reason) == (503, "database-unavailable")
    assert signer.signed == []
    assert not IssuedCertificate.objects.for_name("sensor-1").exists()


def test_T17_denylist_that_fails_at_the_second_look_releases_nothing(device, signer, monkeypatch):
    """Between the intent and the issue the denylist becomes unreadable."""
    rename = "ALTER TABLE pki_denylistentry RENAME TO elsewhere"
    monkeypatch.setattr(signer, "after", staticmethod(lambda: run(rename)))
    try:
        reply = device.simpleenroll(make_csr("sensor-1"))
    finally:
        run("ALTER TABLE elsewhere RENAME TO pki_denylistentry")

    assert (reply.status_code, reply.reason) == (503, "database-unavailable")
    assert IssuedCertificate.objects.for_name("sensor-1").get().state == State.INTENT


def test_T17_deny_that_cannot_be_audited_is_not_done(device):
    with (
        refused_writes("INSERT", "pki_auditevent", "NEW.action = 'deny'"),
        pytest.raises((Error, Busy)),
    ):
        deny("name", "sensor-1", reason="stolen", actor=TESTER)

    assert not DenylistEntry.objects.exists()
    assert audit_trail.verify()[1] is None


def test_T17_operator_is_told_when_a_deny_could_not_be_written(device):
    with read_only_database(), pytest.raises(Busy):
        deny("name", "sensor-1", reason="stolen", actor=TESTER)

    assert device.simpleenroll(make_csr("sensor-1")).status_code == 200


@pytest.mark.parametrize("query", ["?tenant-id=%00", "?tenant-id=a%00b", "?tenant-id=" + "x" * 500])
def test_W34_odd_tenant_id_is_no_error_of_ours(device, query):
    reply = device.simpleenroll(make_csr("sensor-1"), query=query)

    assert reply.status_code in (200, 400), reply.text


@pytest.mark.parametrize(
    ("value", "reason"), [("x" * 200, "stolen"), ("sensor-1", "y" * 501), ("a\x00b", "stolen")]
)
def test_denylist_entry_that_no_database_could_hold_is_refused_in_words(device, value, reason):
    with pytest.raises(OperatorError):
        deny("name", value, reason=reason, actor=TESTER)
