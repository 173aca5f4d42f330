"""A rehearsal is one transaction that is rolled back, whatever commits within."""

import pytest

from pki.denylist.entries import allow, deny
from pki.models import AuditEvent, DenylistEntry
from pki.operators.errors import OperatorError
from pki.record import audit_trail, due_work
from pki.record.audit_check import check_trail
from pki.record.audit_trail import Actor
from pki.record.rehearse import rehearse
from pki.record.transactions import in_write_transaction

TESTER = Actor("test")

pytestmark = pytest.mark.django_db(transaction=True)


def entries():
    return [*DenylistEntry.objects.values_list("value", flat=True)]


def test_what_a_rehearsal_writes_is_seen_within_and_gone_afterwards():
    deny("name", "before", reason="r", actor=TESTER)
    with rehearse():
        deny("name", "within", reason="r", actor=TESTER)
        allow("name", "before", reason="r", actor=TESTER)
        assert entries() == ["within"]

    assert entries() == ["before"]


def test_the_audit_trail_goes_on_where_it_was():
    deny("name", "first", reason="r", actor=TESTER)
    head = audit_trail.head()
    with rehearse():
        deny("name", "within", reason="r", actor=TESTER)
    assert audit_trail.head() is head
    deny("name", "second", reason="r", actor=TESTER)

    assert check_trail() == AuditEvent.objects.count() == 2
    assert AuditEvent.objects.values("chain").distinct().count() == 1


def test_an_error_ends_the_rehearsal_and_takes_everything_back():
    def rehearsed():
        with rehearse():
            deny("name", "within", reason="r", actor=TESTER)
            deny("name", "other", reason=" ", actor=TESTER)

    with pytest.raises(OperatorError, match="needs a reason"):
        rehearsed()

    assert entries() == []
    deny("name", "after", reason="r", actor=TESTER)
    assert entries() == ["after"]


def test_nobody_is_told_of_work_that_was_rehearsed():
    told = []
    due_work.register(told.append)

    def write():
        due_work.announce("now")

    try:
        with rehearse():
            in_write_transaction(write)
        assert told == []
        in_write_transaction(write)
    finally:
        due_work.unregister(told.append)
    assert told == ["now"]
