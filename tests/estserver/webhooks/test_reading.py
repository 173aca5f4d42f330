"""Events are read from the record: each once, however often it is read, and by no enrollment."""

import datetime
import json

import pytest
from django.utils import timezone

from estserver.models import Message, Webhook
from estserver.webhooks import reading
from estserver.webhooks.reading import read_events
from pki.authorities.distrust import distrust_authority, retire_authority
from pki.authorities.succeed import make_successor
from pki.models import AuditEvent, CertificateAuthority, IssuedCertificate
from pki.models.fields import new_identifier
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction
from pki.revocation.revoke import revoke_certificate
from tests.estserver.webhooks.conftest import OFFICER
from tests.support.builders import make_csr, make_key
from tests.support.est_client import ESTClient


def read():
    read_events(seconds=30)
    rows = Message.objects.order_by("created_at")
    return [(row.event, json.loads(row.body)["data"]) for row in rows]


def refuse(
    client="client:1", reason="denied: The device is denied.", action="refuse-enroll", **more
):
    actor = Actor(client, request_id=f"request-of-{client}")
    in_write_transaction(
        lambda: audit_trail.record(action, actor=actor, target="thing:x", reason=reason, **more)
    )


def test_what_happened_to_a_device_is_told_once(installation, est_client, subscribe):
    est_client.simpleenroll(make_csr("before", key=make_key(index=2)))
    subscribe()
    key = make_key()
    first = est_client.simpleenroll(make_csr("sensor-1", key=key)).certificate
    device = ESTClient(certificate=first)
    device.simplereenroll(make_csr("sensor-1", key=make_key(index=1)))
    row = IssuedCertificate.objects.get(common_name="sensor-1", state="issued")
    revoke_certificate(row, reason="keyCompromise", comment="stolen", actor=OFFICER)

    told = read()

    assert [event for event, _ in told] == [
        "certificate.issued",
        "certificate.renewed",
        "certificate.revoked",
    ]
    issued, renewed, revoked = (data for _, data in told)
    assert issued["thing_name"] == "sensor-1"
    assert issued["serial_number"] == f"{first.serial_number:x}"
    assert issued["label"] == ""
    assert renewed["replaces"] == issued["serial_number"]
    assert revoked["serial_number"] == renewed["serial_number"] == row.serial_number
    assert revoked["revocation_reason"] == "keyCompromise"
    assert revoked["comment"] == "stolen"
    assert read() == told  # the overlap is read again, and tells nothing new


def test_T132_what_commits_late_is_told_all_the_same(installation, subscribe, monkeypatch):
    subscribe("ca.retired")
    read()
    late = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=4)
    monkeypatch.setattr(audit_trail, "new_identifier", lambda: reading.first_identifier(late))
    Webhook.objects.update(created_at=late - datetime.timedelta(minutes=1))
    monkeypatch.setattr(audit_trail.timezone, "now", lambda: late)
    refuse(action="retire-ca")
    monkeypatch.undo()

    assert [event for event, _ in read()] == ["ca.retired"]


def test_each_webhook_is_told_of_what_it_wants(installation, est_client, subscribe):
    subscribe("certificate.issued", name="issues")
    subscribe("certificate.revoked", "ca.created", name="others")
    est_client.simpleenroll(make_csr("sensor-1"))

    read()

    assert [row.webhook.name for row in Message.objects.all()] == ["issues"]


def test_an_ended_webhook_is_told_nothing(installation, est_client, subscribe):
    webhook, _ = subscribe()
    Webhook.objects.filter(pk=webhook.pk).update(ended_at=timezone.now())
    est_client.simpleenroll(make_csr("sensor-1"))

    assert read() == []


def test_refusals_are_one_event_a_minute_for_each_reason(installation, subscribe, clock):
    subscribe("certificate.refused")
    for number in range(3):
        refuse(f"client:{number}")
    refuse(action="refuse-repeated", after={"count": 40})
    refuse(reason="csr-bad-signature: The signature is wrong.", action="refuse-reenroll")
    minutes = {row.at.minute for row in AuditEvent.objects.filter(action__startswith="refuse-")}
    assert read() == []  # this minute is not over
    clock(minutes=3)

    told = [data for _, data in read()]

    if len(minutes) == 1:  # the clock may have gone on to the next one meanwhile
        assert sorted((data["reason"], data["count"]) for data in told) == [
            ("csr-bad-signature", 1),
            ("denied", 43),
        ]
    assert sum(data["count"] for data in told) == 44
    assert told[0]["first_client"] == "client:0"
    assert told[0]["first_request_id"] == "request-of-client:0"
    assert told[0]["sentence"] == "The device is denied."
    clock(minutes=1)
    assert len(read()) == len(told)


def test_what_becomes_of_cas_is_told(installation, subscribe, device_ca):
    subscribe("ca.created", "ca.retired", "ca.distrusted")
    successor = make_successor(device_ca, actor=OFFICER, reason="roll")
    device_ca.refresh_from_db()
    retire_authority(device_ca, reason="done", actor=OFFICER, is_forced=True)
    distrust_authority(successor, reason="stolen", actor=OFFICER)

    told = read()

    assert [(event, data["ca"]) for event, data in told] == [
        ("ca.created", successor.name),
        ("ca.retired", device_ca.name),
        ("ca.distrusted", successor.name),
    ]
    assert told[0][1]["succeeds"] == device_ca.name
    assert told[2][1]["reason"] == "stolen"


def test_what_expires_is_told_at_each_step_once(installation, est_client, subscribe):
    est_client.simpleenroll(make_csr("sensor-1"))
    webhook, _ = subscribe("certificate.expiring", "ca.expiring")
    rows = IssuedCertificate.objects.filter(common_name="sensor-1")
    now = timezone.now()

    def at(**left):
        end = now + datetime.timedelta(**left)
        rows.update(not_after=end)
        Webhook.objects.filter(pk=webhook.pk).update(
            expiries_until=now - datetime.timedelta(minutes=1)
        )
        return [data["days"] for _, data in read()]

    assert at(days=31) == []
    assert at(days=30) == [30]
    assert at(days=30) == [30]
    assert at(days=29) == [30]
    assert at(days=7) == [30, 7]
    assert at(hours=24) == [30, 7, 1]
    rows.update(state=IssuedCertificate.State.SUPERSEDED)  # renewed
    assert at(days=30) == [30, 7, 1]
    CertificateAuthority.objects.device().update(not_after=now + datetime.timedelta(days=90))
    assert at(days=30) == [30, 7, 1, 90]


def test_pages_are_read_one_after_the_other_and_a_run_that_is_cut_off_goes_on(
    installation, subscribe, monkeypatch
):
    monkeypatch.setattr(reading, "PAGE", 3)
    webhook, _ = subscribe("ca.retired")
    for _ in range(8):
        refuse(action="retire-ca")

    for _ in range(8):
        read_events(seconds=-1)  # time for one page that is new

    assert Message.objects.count() == 8
    webhook.refresh_from_db()
    assert webhook.read_until > webhook.created_at


def test_a_fleet_that_expires_in_one_moment_is_told_whole(
    installation, est_client, subscribe, monkeypatch
):
    monkeypatch.setattr(reading, "PAGE", 3)
    est_client.simpleenroll(make_csr("sensor-1"))
    subscribe("certificate.expiring")
    end = timezone.now() + datetime.timedelta(days=7)
    rows = []
    for number in range(8):
        row = IssuedCertificate.objects.get(common_name="sensor-1")
        row.pk, row.serial_number, row.not_after = new_identifier(), f"{number:040x}", end
        row.fingerprint_sha256 = row.name_owner = row.key_owner = None
        row.current_name = row.request_key = None
        rows.append(row)
    IssuedCertificate.objects.bulk_create(rows)

    read_events(seconds=30)

    assert Message.objects.count() == 8


def test_without_a_webhook_nothing_is_read(installation, est_client, django_assert_num_queries):
    est_client.simpleenroll(make_csr("sensor-1"))

    with django_assert_num_queries(1):
        read_events(seconds=30)


def test_T132_an_enrollment_writes_and_asks_no_more_with_a_webhook(
    installation, est_client, subscribe, django_assert_num_queries
):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    est_client.simpleenroll(make_csr("warm-up"))
    with CaptureQueriesContext(connection) as without:
        est_client.simpleenroll(make_csr("sensor-1"))
    subscribe()
    est_client.simpleenroll(make_csr("warm-up-again"))
    with CaptureQueriesContext(connection) as with_one:
        est_client.simpleenroll(make_csr("sensor-2"))

    assert len(with_one) == len(without) > 5
    assert not [one for one in with_one if "webhook" in one["sql"] or "message" in one["sql"]]


@pytest.mark.parametrize("count", [5, 60])
def test_the_statements_of_a_run_do_not_grow_with_the_events(
    installation, subscribe, count, django_assert_max_num_queries
):
    subscribe("ca.retired")
    for _ in range(count):
        refuse(action="retire-ca")

    with django_assert_max_num_queries(30):
        read_events(seconds=30)

    assert Message.objects.count() == count
