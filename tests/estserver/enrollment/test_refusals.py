"""Refusals on the audit trail: the first is a row at once, and those after it are counted."""

import logging
import threading

from django.db import OperationalError, connection

from estserver.enrollment import refusals
from estserver.enrollment.refusals import record_refusal, write_counts
from pki.denylist.entries import deny
from pki.exceptions import DeviceDenied, EnrollmentRefused
from pki.models import AuditEvent, IssuedCertificate
from pki.reasons import Reason
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from tests.conftest import TESTER
from tests.iotprov.conftest import clock
from tests.support.builders import make_csr

__all__ = ["clock"]

ENROLL = IssuedCertificate.Operation.ENROLL


def refuse(request_id, *, client="ab", reason=Reason.DEVICE_DENIED):
    actor = Actor.client(client * 32, request_id, "192.0.2.1")
    record_refusal(ENROLL, DeviceDenied(reason), actor=actor, target="thing:sensor-1")


def rows():
    """Action, request id and count of each refusal's row, in the order of writing."""
    events = AuditEvent.objects.filter(action__startswith="refuse-").order_by("at")
    return [(each.action, each.request_id, (each.after or {}).get("count")) for each in events]


def test_T49_the_first_refusal_is_a_row_and_those_of_the_next_minute_are_one(db, clock):
    for number in range(5):
        refuse(f"r{number}")
    assert rows() == [("refuse-enroll", "r0", None)]

    clock(seconds=61)
    refuse("r5")

    assert rows() == [
        ("refuse-enroll", "r0", None),
        ("refuse-repeated", "r4", 4),
        ("refuse-enroll", "r5", None),
    ]
    counted = AuditEvent.objects.get(action="refuse-repeated")
    assert (counted.actor, counted.target) == (f"client:{'ab' * 32}",) * 2
    assert counted.reason.startswith("device-denied: ")
    assert counted.after["first_request_id"] == "r1"
    assert counted.after["last_request_id"] == "r4"
    assert audit_trail.verify() == (3, None)


def test_T49_another_certificate_or_another_reason_is_a_row_at_once(db):
    refuse("r0")
    refuse("r1", client="cd")
    refuse("r2", reason=Reason.KEY_IN_USE)

    assert [request_id for _, request_id, _ in rows()] == ["r0", "r1", "r2"]


def test_a_refusal_that_was_not_repeated_has_no_count(db, clock):
    refuse("r0")
    clock(minutes=2)
    refuse("r1")
    write_counts()

    assert rows() == [("refuse-enroll", "r0", None), ("refuse-enroll", "r1", None)]


def test_T49_a_count_is_written_with_the_next_refusal_of_anybody(db, clock):
    refuse("r0")
    refuse("r1")
    clock(minutes=2)

    refuse("r2", client="cd")

    assert ("refuse-repeated", "r1", 1) in rows()


def test_T49_counts_are_written_when_the_process_ends(db):
    for number in range(3):
        refuse(f"r{number}")

    write_counts()
    write_counts()

    assert rows() == [("refuse-enroll", "r0", None), ("refuse-repeated", "r2", 2)]


def test_T49_the_table_of_counts_is_bounded_and_the_oldest_is_written(db, monkeypatch):
    monkeypatch.setattr(refusals, "MOST_COUNTED", 2)
    for client in ("aa", "bb", "cc", "dd"):
        refuse(f"{client}0", client=client)
        refuse(f"{client}1", client=client)

    assert len(refusals._repeats) == 2
    assert [row for row in rows() if row[0] == "refuse-repeated"] == [
        ("refuse-repeated", "aa1", 1),
        ("refuse-repeated", "bb1", 1),
    ]


def test_a_clock_that_was_set_back_silences_nobody(db, clock):
    refuse("r0")
    clock(days=-1)

    refuse("r1")

    assert len(rows()) == 2


def test_what_could_not_be_written_is_logged_and_the_next_is_a_row(db, monkeypatch, caplog, clock):
    refuse("r0")
    refuse("r1")
    clock(minutes=2)

    def full(execute, sql, *arguments):
        if sql.startswith("INSERT"):
            raise OperationalError("database or disk is full")
        return execute(sql, *arguments)

    with connection.execute_wrapper(full):
        refuse("r2")
    assert "1 more refusals of client:abab" in caplog.text
    refuse("r3")

    assert [request_id for _, request_id, _ in rows()] == ["r0", "r3"]


def test_T49_of_threads_that_are_refused_at_once_one_writes(transactional_db):
    together = threading.Barrier(8)

    def be_refused(number):
        try:
            together.wait()
            for each in range(50):
                refuse(f"{number}-{each}")
        finally:
            connection.close()

    threads = [threading.Thread(target=be_refused, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    write_counts()

    assert sorted((action, count) for action, _, count in rows()) == [
        ("refuse-enroll", None),
        ("refuse-repeated", 399),
    ]


def test_T49_refusals_by_http_have_two_rows_and_a_line_each(est_client, caplog):
    caplog.set_level(logging.INFO)
    deny("name", "sensor-1", reason="stolen", actor=TESTER)

    answers = [est_client.simpleenroll(make_csr("sensor-1")) for _ in range(20)]
    write_counts()

    assert {answer.status_code for answer in answers} == {403}
    assert [count for _, _, count in rows()] == [None, 19]
    lines = [record.fields for record in caplog.records if record.getMessage() == "request"]
    assert [line["reason"] for line in lines] == ["device-denied"] * 20
    assert all(line["request_id"] for line in lines)


def test_one_reason_is_one_row_whatever_its_sentences_say(db):
    for name in ("one", "other"):
        record_refusal(
            ENROLL,
            EnrollmentRefused(Reason.KEY_IN_USE, f"Not {name}."),
            actor=Actor.client("ab", "r", None),
            target=f"thing:{name}",
        )

    assert len(rows()) == 1
