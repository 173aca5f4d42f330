"""What waits for the next statement on PostgreSQL: order, failure, a database that refuses it."""

import pytest
from django.db import NotSupportedError, OperationalError, connection, transaction
from psycopg import ProgrammingError

from pki.models import AuditEvent, hot_path_sql, round_trips
from pki.models.round_trips import NothingChanged
from pki.record import audit_trail
from pki.record.transactions import in_write_transaction
from tests.conftest import TESTER
from tests.pki.state.invariants import check_invariants
from tests.support.builders import make_csr, make_key

NOTHING = ("UPDATE pki_generation SET number = number WHERE id = %s", [99])


@pytest.fixture(autouse=True)
def _fresh():
    yield
    round_trips.forget()


def rows(target):
    return AuditEvent.objects.filter(target=target).count()


def record(target):
    audit_trail.record("test", actor=TESTER, target=target)


@pytest.mark.django_db(transaction=True)
def test_a_row_waits_until_a_statement_could_see_it():
    def work():
        assert hot_path_sql.can_put_off()
        record("first")
        by_hand = hot_path_sql.fetch_values(
            "SELECT count(*) FROM pki_auditevent WHERE target = %s", ["first"]
        )
        record("second")
        return by_hand, rows("second")

    assert in_write_transaction(work) == ([(1,)], 1)
    assert not hot_path_sql.can_put_off()
    assert connection.get_autocommit()
    assert audit_trail.verify() == (2, None)


@pytest.mark.django_db(transaction=True)
def test_T16_an_update_that_changes_nothing_takes_its_transaction_back():
    in_write_transaction(lambda: record("before"))

    def work():
        record("lost")
        hot_path_sql.update_later(*NOTHING)
        record("lost")

    with pytest.raises(NothingChanged):
        in_write_transaction(work)
    in_write_transaction(lambda: record("after"))

    assert (rows("before"), rows("lost"), rows("after")) == (1, 0, 1)
    assert audit_trail.verify() == (2, None)


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_raises_sends_nothing():
    def work():
        record("lost")
        raise KeyError

    with pytest.raises(KeyError):
        in_write_transaction(work)
    in_write_transaction(lambda: record("after"))
    assert (rows("lost"), rows("after")) == (0, 1)
    assert audit_trail.verify() == (1, None)


@pytest.mark.django_db(transaction=True)
def test_a_database_that_refuses_them_together_gets_them_one_by_one():
    attempts = []

    def work():
        attempts.append(hot_path_sql.can_put_off())
        record("once")
        if hot_path_sql.can_put_off():  # what a server says that does not take what came before
            hot_path_sql.fetch_values("DO 'BEGIN RAISE feature_not_supported; END'", [])

    in_write_transaction(work)

    assert attempts == [True, False]
    assert rows("once") == 1
    assert audit_trail.verify()[1] is None


@pytest.mark.django_db(transaction=True)
def test_looks_are_repeated_one_by_one_where_they_are_refused_together():
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY SEQUENCE looks")
    first = hot_path_sql.Look("SELECT nextval('looks')", [], list)
    # A sequence keeps its value when a transaction is taken back: only the first try is refused.
    refusing = "DO 'BEGIN IF lastval() = 1 THEN RAISE feature_not_supported; END IF; END'"
    second = hot_path_sql.Look(refusing, [], list)
    with pytest.raises(
        ProgrammingError, match="produce records"
    ):  # of the DO, after both went well
        hot_path_sql.fetch_together(first, second)
    assert not round_trips.takes_several(connection)
    assert hot_path_sql.fetch_values("SELECT last_value FROM looks", []) == [(2,)]


@pytest.mark.django_db(transaction=True)
def test_looks_are_repeated_after_a_conflict_and_only_outside_of_a_transaction():
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY SEQUENCE tries")
    looks = hot_path_sql.Look("SELECT nextval('tries')", [], list), conflict_at("lastval() = 1")
    with pytest.raises(ProgrammingError, match="produce records"):  # of the DO, the second time
        hot_path_sql.fetch_together(*looks)
    assert hot_path_sql.fetch_values("SELECT last_value FROM tries", []) == [(2,)]

    with pytest.raises(OperationalError), transaction.atomic():  # whose first statement is undone
        hot_path_sql.fetch_together(*looks[:1], conflict_at("lastval() = 3"))
    assert hot_path_sql.fetch_values("SELECT last_value FROM tries", []) == [(3,)]


def conflict_at(condition):
    failing = f"DO 'BEGIN IF {condition} THEN RAISE serialization_failure; END IF; END'"
    return hot_path_sql.Look(failing, [], list)


@pytest.mark.django_db(transaction=True)
def test_what_is_refused_one_by_one_too_is_a_fault():
    def work():
        hot_path_sql.fetch_values("DO 'BEGIN RAISE feature_not_supported; END'", [])

    with pytest.raises(NotSupportedError):
        in_write_transaction(work)


def test_T16_enrollments_are_the_same_one_by_one(device, monkeypatch):
    monkeypatch.setattr(round_trips, "_is_refused", True)
    first = device.simpleenroll(make_csr("sensor-1", key=make_key("ec-p256", 1)))
    again = device.simpleenroll(make_csr("sensor-1", key=make_key("ec-p256", 2)))
    assert (first.status_code, again.status_code) == (200, 200)
    check_invariants()
