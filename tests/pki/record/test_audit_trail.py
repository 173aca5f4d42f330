"""The audit trail shows any later change, and grows without waiting."""

import threading

import pytest
from django.db import connection

from pki.models import AuditEvent
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction
from tests.conftest import TESTER
from tests.support.builders import make_csr, make_key


def record(target, **said):
    in_write_transaction(lambda: audit_trail.record("test", actor=TESTER, target=target, **said))


def broken():
    """What `verify` finds: the row's target and what is wrong with it."""
    _, found = audit_trail.verify()
    return found and (found.event.target, found.what)


def sql(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def as_stored(identifier):
    return identifier.hex if connection.vendor == "sqlite" else identifier


@pytest.fixture
def trail(db):
    """Three chains of three rows: a0 a1 a2, b0 b1 b2, c0 c1 c2."""
    for name in "abc":
        audit_trail.start_new_chain()
        for position in range(3):
            record(f"{name}{position}", before={"n": 1}, after={"n": 2})


def test_I8_an_enrollment_leaves_a_trail_that_holds(est_client):
    est_client.simpleenroll(make_csr("sensor-1"))
    est_client.simplereenroll(make_csr("sensor-1", key=make_key(index=1)))

    actions = AuditEvent.objects.exclude(actor="test").order_by("position")
    assert [event.action for event in actions] == [
        "intent",
        "issue",
        "intent",
        "supersede",
        "issue",
    ]
    assert {event.request_id for event in actions} != {""}
    assert audit_trail.verify() == (AuditEvent.objects.count(), None)


def test_an_empty_trail_holds(db):
    assert audit_trail.verify() == (0, None)


@pytest.mark.parametrize(
    "source_ip", ["192.0.2.1", "2001:DB8:0:0:0:0:0:1", "::ffff:192.0.2.1", "::1", None]
)
def test_the_trail_holds_however_an_address_is_spelled(db, source_ip):
    actor = Actor("client:ab", request_id="r", source_ip=source_ip)
    in_write_transaction(lambda: audit_trail.record("test", actor=actor, target="t"))

    assert audit_trail.verify() == (1, None)


@pytest.mark.parametrize("text", ["é\u202e\U0001f512", "a" * 1000, "line\nline", "{}%s'"])
def test_the_trail_holds_whatever_is_said(db, text):
    record(text, reason=text, before={"said": text, "n": None}, after={"list": [1, True, text]})

    assert audit_trail.verify() == (1, None)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("action", "other"),
        ("actor", "admin:nobody"),
        ("target", "a1"),
        ("reason", "because"),
        ("request_id", "x"),
        ("source_ip", "192.0.2.9"),
        ("before", '{"n": 3}'),
        ("after", "null"),
        ("at", "2020-01-01 00:00:00.000001+00:00"),
    ],
)
@pytest.mark.parametrize("row", ["a1", "b0", "c2"])
def test_T31_a_changed_row_is_named(trail, row, column, value):
    event = AuditEvent.objects.get(target=row)
    if column == "target":
        value = f"not {row}"

    sql(f"UPDATE pki_auditevent SET {column} = %s WHERE hash = %s", value, event.hash)

    _, found = audit_trail.verify()
    assert found is not None
    assert (found.event.pk, found.what) == (event.pk, "its contents were changed")


def test_T31_a_row_forged_with_its_hash_is_found_by_the_next(trail):
    event = AuditEvent.objects.get(target="b1")
    event.reason = "because"

    sql(
        "UPDATE pki_auditevent SET reason = %s, hash = %s WHERE hash = %s",
        event.reason,
        audit_trail.hash_of(event),
        event.hash,
    )

    assert broken() == ("b2", "the row before it was changed")


@pytest.mark.parametrize(
    ("deleted", "named"),
    [
        ("a0", ("a1", "its chain has no opening")),
        ("a1", ("a2", "row 1 of its chain is missing before it")),
        ("b1", ("b2", "row 1 of its chain is missing before it")),
    ],
)
def test_T31_a_row_deleted_is_missed_by_the_next(trail, deleted, named):
    event = AuditEvent.objects.get(target=deleted)

    sql("DELETE FROM pki_auditevent WHERE hash = %s", event.hash)

    assert broken() == named


def test_T31_a_whole_chain_deleted_is_missed_by_the_next(trail):
    chain = AuditEvent.objects.get(target="b0").chain

    sql("DELETE FROM pki_auditevent WHERE chain = %s", as_stored(chain))

    assert broken() == ("c0", "chain 2 is missing before it")


def test_T31_two_rows_that_changed_places_are_found(trail):
    for position, other in ((101, "a1"), (1, "a2"), (2, "a1")):
        event = AuditEvent.objects.get(target=other)
        sql("UPDATE pki_auditevent SET position = %s WHERE hash = %s", position, event.hash)

    assert broken() is not None


def test_the_first_broken_row_in_time_is_named(trail):
    sql("UPDATE pki_auditevent SET reason = 'x' WHERE target IN ('c1', 'b2')")

    assert broken() == ("b2", "its contents were changed")


def test_T31_rows_cant_be_changed_or_deleted_through_the_models(trail):
    event = AuditEvent.objects.get(target="a1")

    for forbidden in (
        event.save,
        event.delete,
        lambda: AuditEvent.objects.update(reason="x"),
        AuditEvent.objects.filter(target="a1").delete,
        AuditEvent.objects.all().delete,
    ):
        with pytest.raises(TypeError, match="append-only"):
            forbidden()

    assert audit_trail.verify() == (9, None)


def test_a_rollback_leaves_no_hole(db):
    record("first")

    def fail():
        audit_trail.record("test", actor=TESTER, target="never")
        raise LookupError

    with pytest.raises(LookupError):
        in_write_transaction(fail)
    record("second")

    assert list(AuditEvent.objects.order_by("position").values_list("target", "position")) == [
        ("first", 0),
        ("second", 1),
    ]
    assert audit_trail.verify() == (2, None)


def test_a_rollback_of_a_chains_first_row_leaves_no_hole(db):
    def fail():
        audit_trail.record("test", actor=TESTER, target="never")
        raise LookupError

    with pytest.raises(LookupError):
        in_write_transaction(fail)
    record("first")

    assert AuditEvent.objects.get().position == 0
    assert audit_trail.verify() == (1, None)


def test_a_forked_process_goes_on_in_a_chain_of_its_own(db):
    record("before the fork")
    inherited = audit_trail.head()
    record("parent")

    audit_trail.restore(inherited)  # what a child process believes
    record("child")

    assert AuditEvent.objects.values("chain").distinct().count() == 2
    assert audit_trail.verify() == (3, None)


def test_threads_write_chains_of_their_own_and_the_trail_holds(transactional_db):
    def write(name):
        try:
            for number in range(10):
                record(f"{name}-{number}")
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(f"t{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert AuditEvent.objects.values("chain").distinct().count() >= 4
    assert audit_trail.verify() == (40, None)
