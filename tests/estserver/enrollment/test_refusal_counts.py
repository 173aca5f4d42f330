"""Counts of refusals: as many as there are rows on the trail, by reason and hour."""

import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from estserver.enrollment import refusal_counts
from estserver.enrollment.refusal_counts import refusals, remove_old_counts, since
from estserver.enrollment.refusals import record_refusal, write_counts
from estserver.models import RefusalCount
from pki.denylist.entries import deny
from pki.exceptions import DeviceDenied
from pki.models import AuditEvent, IssuedCertificate
from pki.reasons import Reason
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from tests.conftest import TESTER
from tests.iotprov.conftest import clock
from tests.support.builders import make_csr

__all__ = ["clock"]

ENROLL = IssuedCertificate.Operation.ENROLL


def refuse(number, reason=Reason.DEVICE_DENIED):
    actor = Actor.client(f"{number:064x}", f"r{number}", "192.0.2.1")
    record_refusal(ENROLL, DeviceDenied(reason), actor=actor, target=f"thing:sensor-{number}")


def on_the_trail(code, days):
    return AuditEvent.objects.filter(
        action__startswith="refuse-", reason__startswith=f"{code}:", at__gte=since(days)
    ).count()


def test_each_row_of_a_refusal_on_the_trail_is_counted_once(db):
    for number in range(3):
        refuse(number)
        refuse(number)  # within a minute: counted in memory, and no row
    refuse(7, Reason.KEY_IN_USE)
    write_counts()

    counted = {one.code: (one.day, one.month) for one in refusals()}

    assert counted == {"device-denied": (6, 6), "key-in-use": (1, 1)}
    for code, (day, month) in counted.items():
        assert (day, month) == (on_the_trail(code, 1), on_the_trail(code, 30))
    assert RefusalCount.objects.count() == 2  # one for each reason, not for each refusal


def test_a_device_that_is_refused_is_counted_and_one_that_enrolls_writes_no_count(est_client):
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert est_client.simpleenroll(make_csr("sensor-1")).status_code == 200
    assert not [one for one in asked.captured_queries if "refusalcount" in one["sql"]]

    deny("name", "sensor-2", reason="stolen", actor=TESTER)
    assert est_client.simpleenroll(make_csr("sensor-2")).status_code == 403

    assert [(one.code, one.day) for one in refusals()] == [("device-denied", 1)]


def test_a_day_and_a_month_are_told_apart(db, clock):
    refuse(1)
    clock(days=2)
    audit_trail.start_new_chain()
    refuse(2)

    assert [(one.day, one.month) for one in refusals()] == [(1, 2)]

    clock(days=29)

    assert [(one.day, one.month) for one in refusals()] == [(0, 1)]


def test_a_refusal_that_is_rolled_back_is_not_counted(db, monkeypatch):
    def break_off(reason):
        counted(reason)
        raise DeviceDenied(Reason.DATABASE_UNAVAILABLE)

    counted = refusal_counts.count_refusal
    monkeypatch.setattr("estserver.enrollment.refusals.count_refusal", break_off)

    refuse(1)

    assert refusals() == []
    assert on_the_trail("device-denied", 1) == 0


def test_what_no_page_shows_any_more_is_removed(db, monkeypatch):
    monkeypatch.setattr(refusal_counts, "CHUNK", 2)
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    for days in (0, 29, 32, 33, 34):
        RefusalCount.objects.create(
            hour=hour - datetime.timedelta(days=days),
            code="device-denied",
            chain="00000000-0000-0000-0000-000000000001",
            count=1,
        )

    assert remove_old_counts() == 3
    assert [one.month for one in refusals()] == [2]


@pytest.mark.parametrize("statements", [2, 1])
def test_the_first_refusal_of_an_hour_takes_two_statements_more_and_a_later_one_takes_one(
    db, statements
):
    if statements == 1:
        refuse(1)
    with CaptureQueriesContext(connection) as asked:
        refuse(2)

    told = [one["sql"] for one in asked.captured_queries if "refusalcount" in one["sql"]]
    assert len(told) == statements
