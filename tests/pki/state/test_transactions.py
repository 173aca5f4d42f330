"""Write transactions: what is tried again, what isn't, and that the audit trail bears both."""

import pytest
from django.db import DatabaseError, IntegrityError, OperationalError, connection
from django.utils import timezone

from pki.exceptions import Busy
from pki.models import AuditEvent, DenylistEntry
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.transactions import ATTEMPTS, in_write_transaction
from tests.conftest import TESTER
from tests.pki.state.door import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def record(action):
    audit_trail.record(action, actor=TESTER, target="test:1")


def entry(**kwargs):
    return DenylistEntry.objects.create(
        **({"kind": "name", "value": "a", "reason": "r", "created_by": "t"} | kwargs)
    )


def trail():
    return list(AuditEvent.objects.order_by("at").values_list("action", flat=True))


def chains():
    return AuditEvent.objects.exclude(opening=None).count()


def test_row_that_lacks_a_value_is_a_bug_and_not_tried_again():
    calls = []

    def work():
        calls.append(1)
        entry(reason=None)

    with pytest.raises(IntegrityError):
        in_write_transaction(work)
    assert len(calls) == 1


def test_value_that_exists_is_looked_at_again():
    entry()
    calls = []

    def work():
        calls.append(1)
        if len(calls) == 1:
            entry()
        return "found"

    assert in_write_transaction(work) == "found"
    assert len(calls) == 2


def test_clash_that_never_ends_is_busy():
    entry()
    calls = []

    def work():
        calls.append(1)
        entry()

    with pytest.raises(Busy):
        in_write_transaction(work)
    assert len(calls) == ATTEMPTS


def test_I8_rolled_back_attempt_leaves_no_gap_and_opens_no_chain():
    entry()
    in_write_transaction(lambda: record("before"))
    calls = []

    def work():
        calls.append(1)
        record("during")
        if len(calls) == 1:
            entry()

    in_write_transaction(work)

    assert trail() == ["before", "during"]
    assert chains() == 1
    assert audit_trail.verify() == (2, None)


def test_I8_two_writers_on_one_chain_part_ways():
    """After a fork, parent and child hold the same end of the same chain."""
    in_write_transaction(lambda: record("shared"))
    end = audit_trail.head()
    in_write_transaction(lambda: record("parent"))

    audit_trail.restore(end)
    in_write_transaction(lambda: record("child"))

    assert trail() == ["shared", "parent", "child"]
    assert audit_trail.verify() == (3, None)


def test_T21_commit_whose_answer_was_lost_is_busy_and_breaks_no_chain(monkeypatch):
    in_write_transaction(lambda: record("before"))
    commit = connection.commit

    def commit_and_lose_the_connection():
        commit()
        raise OperationalError("server closed the connection unexpectedly")

    with monkeypatch.context() as patch:
        patch.setattr(connection, "commit", commit_and_lose_the_connection)
        with pytest.raises(Busy):
            in_write_transaction(lambda: record("perhaps"))
    in_write_transaction(lambda: record("after"))

    assert trail() == ["before", "perhaps", "after"]
    assert audit_trail.verify() == (3, None)


def test_I8_chains_opened_by_many_threads_at_once_hold_together():
    def write():
        for number in range(5):
            in_write_transaction(lambda number=number: record(f"row-{number}"))

    at_once(*[write] * 20)

    assert audit_trail.verify() == (100, None)
    assert 20 <= chains() < 40  # a conflict may cost a thread its chain


def test_I8_address_is_hashed_as_the_database_gives_it_back():
    for address in ("2001:0DB8:0:0:0:0:0:1", "::ffff:192.0.2.1", "fe80::1%eth0", "192.0.2.1"):
        actor = Actor("test", source_ip=address)
        in_write_transaction(
            lambda actor=actor: audit_trail.record("seen", actor=actor, target="test:1")
        )

    assert audit_trail.verify() == (4, None)


def test_T21_busy_database_is_given_up_in_time(monkeypatch):
    """A wait that has already lasted is not begun again five times: the gateway gives up too."""
    monkeypatch.setattr("pki.record.transactions.RETRY_SECONDS", 0)
    entry()
    calls = []

    def work():
        calls.append(1)
        entry()

    with pytest.raises(Busy):
        in_write_transaction(work)
    assert len(calls) == 1


@pytest.mark.parametrize("column", ["hash", "at"])
def test_T31_changed_row_is_named(column):
    for action in ("one", "two", "three"):
        in_write_transaction(lambda action=action: record(action))
    value = {"hash": "0" * 64, "at": timezone.now()}[column]
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE pki_auditevent SET {column} = %s WHERE action = 'two'",
            [value],
        )

    _, broken = audit_trail.verify()

    assert broken is not None
    assert broken.event.action in ("two", "three")


def test_any_other_database_error_is_raised_as_it_is():
    def work():
        with connection.cursor() as cursor:
            cursor.execute("SELECT nonsense FROM nowhere")

    with pytest.raises((DatabaseError, Busy)):
        in_write_transaction(work)
    in_write_transaction(lambda: record("after"))
    assert audit_trail.verify() == (1, None)
