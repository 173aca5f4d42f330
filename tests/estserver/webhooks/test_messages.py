"""Messages are sent until they are taken, for a day, and then given up for a person to see."""

import base64
import datetime
import hmac
import json
import uuid

import pytest
from django.utils import timezone

from estserver.console.overview.report import present_notices
from estserver.models import Message, Webhook
from estserver.operations import minutely_rule, schedule
from estserver.webhooks import messages
from estserver.webhooks.messages import (
    FAILURES_IN_A_ROW,
    KEPT_FOR,
    RETRIED_FOR,
    add_messages,
    attempt,
    next_message_due,
    remove_old_messages,
    send_due,
)
from estserver.webhooks.subscriptions import (
    add_webhook,
    check_events,
    end_webhook,
    find_webhook,
    redeliver,
    rotate_secret,
    test_webhook,
)
from pki.models import AuditEvent
from pki.models.fields import first_identifier
from pki.operators.errors import OperatorError
from tests.estserver.webhooks.conftest import OFFICER
from tests.support.builders import make_csr

test_webhook.__test__ = False
State = Message.State


@pytest.fixture
def waiting(subscribe):
    """Return a function that adds waiting messages to a webhook of the receiver."""
    webhook, _ = subscribe()

    def add(count=1, to=webhook):
        now = timezone.now()
        rows = [
            Message(
                channel=Message.Channel.WEBHOOK,
                webhook=to,
                once=uuid.uuid4().hex,
                event="ca.retired",
                body='{"type":"ca.retired"}',
                created_at=now,
                next_attempt_at=now,
                give_up_at=now + RETRIED_FOR,
            )
            for _ in range(count)
        ]
        add_messages(rows)
        return rows

    return add


def verifies(secret, headers, body):
    """Whether a receiver with this secret accepts the message, as the specification says."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    wanted = base64.b64encode(hmac.new(key, signed, "sha256").digest()).decode()
    given = [one.partition(",")[2] for one in headers["webhook-signature"].split(" ")]
    return wanted in given


def test_the_schedule_tells_a_webhook_what_happened(
    transactional_db, installation, est_client, subscribe, receiver
):
    _, secret = subscribe("certificate.issued")
    est_client.simpleenroll(make_csr("sensor-1"))

    schedule.every_minute({}, None)
    schedule.every_minute({}, None)

    ((path, headers, body),) = receiver.got
    assert path == "/hooks?key=of-the-receiver"
    assert verifies(secret, headers, body)
    assert json.loads(body)["type"] == "certificate.issued"
    assert json.loads(body)["data"]["thing_name"] == "sensor-1"
    row = Message.objects.get()
    assert row.state == State.DELIVERED
    assert headers["webhook-id"] == f"msg_{row.pk.hex}"


def test_a_failure_is_tried_again_later_under_the_same_id_and_given_up_after_a_day(
    db, waiting, receiver, clock
):
    (row,) = waiting()
    receiver.status = 500
    pauses = []
    for _ in range(100):
        send_due(seconds=30)
        row.refresh_from_db()
        if row.state != State.WAITING:
            break
        assert send_due(seconds=30).failed == 0  # not before its time
        pauses.append(row.next_attempt_at - timezone.now())
        clock(seconds=(row.next_attempt_at - timezone.now()).total_seconds() + 1)

    assert row.state == State.PARKED
    assert row.last_error == "The receiver says 500."
    assert [round(pause.total_seconds() / 60) for pause in pauses[:8]] == [
        *(1, 2, 4, 8, 16, 32, 64, 120)
    ]
    assert timezone.now() - row.created_at >= RETRIED_FOR
    assert len({headers["webhook-id"] for _, headers, _ in receiver.got}) == 1
    assert [one.key for one in present_notices() if "given-up" in one.key]


def test_an_address_that_is_gone_for_good_is_not_tried_again(db, waiting, receiver):
    (row,) = waiting()
    receiver.status = 410

    send_due(seconds=30)

    row.refresh_from_db()
    assert row.state == State.PARKED


def test_a_receiver_that_fails_does_not_take_the_time_of_the_others(
    db, waiting, receiver, subscribe, monkeypatch
):
    other, _ = subscribe(name="other", url=f"https://localhost:{receiver.port}/other")
    waiting(10)
    waiting(2, to=other)
    monkeypatch.setattr(messages.random, "shuffle", lambda receivers: receivers.sort(key=str))
    tried = []

    def post(url, body, headers):
        tried.append(url)
        if not url.endswith("/other"):
            raise messages.NotTaken("no")

    monkeypatch.setattr(messages, "post", post)

    done = send_due(seconds=30)

    assert (done.delivered, done.failed) == (2, FAILURES_IN_A_ROW)


def test_T132_a_message_is_claimed_by_one_worker(db, waiting, receiver):
    (row,) = waiting()
    same = Message.objects.get(pk=row.pk)

    assert attempt(row) == ""
    assert attempt(same) is None
    assert len(receiver.got) == 1


def test_T132_a_worker_that_dies_leaves_the_message_to_the_next(
    db, waiting, receiver, clock, monkeypatch
):
    (row,) = waiting()

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(messages, "post", die)
    with pytest.raises(KeyboardInterrupt):
        send_due(seconds=30)
    monkeypatch.undo()
    row.refresh_from_db()
    assert row.state == State.WAITING
    assert row.next_attempt_at > timezone.now()

    later = timezone.now() + messages.CLAIM
    monkeypatch.setattr(timezone, "now", lambda: later)
    monkeypatch.setenv("SSL_CERT_FILE", str(receiver.ca_file))
    send_due(seconds=30)

    assert receiver.events() == ["ca.retired"]


def test_T131_both_secrets_sign_for_a_day_after_a_rotation(db, subscribe, receiver, clock):
    webhook, first = subscribe()
    second = rotate_secret(webhook, reason="due", actor=OFFICER)
    webhook.refresh_from_db()

    assert test_webhook(webhook, actor=OFFICER) == ""
    clock(days=1, minutes=1)
    webhook.refresh_from_db()
    assert test_webhook(webhook, actor=OFFICER) == ""

    during, after = ((headers, body) for _, headers, body in receiver.got)
    assert verifies(first, *during)
    assert verifies(second, *during)
    assert not verifies(first, *after)
    assert verifies(second, *after)


def test_T131_no_secret_and_no_path_is_on_record_in_plain(db, subscribe, receiver):
    webhook, secret = subscribe()
    rotated = rotate_secret(webhook, reason="due", actor=OFFICER)
    end_webhook(webhook, reason="over", actor=OFFICER)

    stored = json.dumps(list(Webhook.objects.values()), default=str)
    trail = json.dumps(list(AuditEvent.objects.values()), default=str)
    for one in (secret, rotated):
        assert one not in stored
        assert one not in trail
    assert "of-the-receiver" not in trail
    assert [row.action for row in AuditEvent.objects.order_by("at")] == [
        "webhook-add",
        "webhook-rotate",
        "webhook-end",
    ]


def test_what_was_sealed_with_another_key_fails_with_what_to_do(db, waiting, settings, receiver):
    (row,) = waiting()
    settings.SECRET_KEY = "another" * 10

    assert "SECRET_KEY_FALLBACKS" in (attempt(row) or "")
    assert receiver.got == []


def test_nothing_waits_for_a_webhook_that_was_ended(db, waiting, receiver):
    (row,) = waiting()
    end_webhook(row.webhook, reason="over", actor=OFFICER)

    send_due(seconds=30)

    assert receiver.got == []
    assert not Message.objects.exists()
    with pytest.raises(OperatorError, match="ended"):
        redeliver(row, reason="again", actor=OFFICER)


def test_a_person_has_a_message_sent_again_under_its_id(db, waiting, receiver):
    (row,) = waiting()
    attempt(row)
    row.refresh_from_db()

    redeliver(row, reason="it was lost there", actor=OFFICER)
    send_due(seconds=30)

    first, second = (headers["webhook-id"] for _, headers, _ in receiver.got)
    assert first == second
    assert AuditEvent.objects.get(action="message-redeliver").reason == "it was lost there"


def test_old_messages_are_removed_but_not_those_that_wait(db, waiting, receiver):
    done, still = waiting(2)
    attempt(done)
    for row in (done, still):
        old = first_identifier(timezone.now() - KEPT_FOR - datetime.timedelta(days=1))
        Message.objects.filter(pk=row.pk).update(id=uuid.UUID(int=old.int + row.pk.int % 1000))

    assert remove_old_messages() == 1
    assert Message.objects.get().state == State.WAITING


def test_the_minutely_schedule_is_not_paused_while_a_webhook_wants_events(db, subscribe, settings):
    assert next_message_due() is None
    assert minutely_rule.is_idle()
    webhook, _ = subscribe()
    AuditEvent.objects.all()._raw_delete("default")
    assert not minutely_rule.is_idle()
    Webhook.objects.filter(pk=webhook.pk).update(ended_at=timezone.now())
    assert minutely_rule.is_idle()


@pytest.mark.parametrize(
    ("name", "url", "events", "reason", "said"),
    [
        ("", "https://h.example/", ["ca.retired"], "r", "needs a name"),
        ("a" * 81, "https://h.example/", ["ca.retired"], "r", "needs a name"),
        ("a", "http://h.example/", ["ca.retired"], "r", "https://host/path"),
        ("a", "https://h.example/", [], "r", "one event at least"),
        ("a", "https://h.example/", ["ca.sold"], "r", "no event ca.sold"),
        ("a", "https://h.example/", ["ca.retired"], " ", "Say why"),
        ("ours", "https://h.example/", ["ca.retired"], "r", "Choose another name"),
    ],
)
def test_what_cannot_be_a_webhook_is_refused(db, subscribe, name, url, events, reason, said):
    subscribe(name="ours")

    with pytest.raises(OperatorError, match=said):
        add_webhook(name, url, events, reason=reason, actor=OFFICER)

    assert Webhook.objects.count() == 1


def test_a_webhook_is_found_by_name_or_id(db, subscribe):
    webhook, _ = subscribe()

    assert find_webhook("ours") == find_webhook(str(webhook.pk)) == webhook
    with pytest.raises(OperatorError, match="no active webhook"):
        find_webhook("theirs")
    assert check_events(["ca.retired", "ca.created"]) == ["ca.created", "ca.retired"]


def test_T132_a_worker_whose_claim_ran_out_changes_nothing_of_the_next_ones(
    db, waiting, monkeypatch, clock
):
    (row,) = waiting()

    def slow(late):
        clock(seconds=messages.CLAIM.total_seconds() + 1)
        monkeypatch.setitem(messages._SENDERS, row.channel, lambda _: None)
        assert attempt(Message.objects.get(pk=row.pk)) == ""
        raise OperatorError("The connection broke.")

    monkeypatch.setitem(messages._SENDERS, row.channel, slow)
    assert attempt(row) == "The connection broke."

    row.refresh_from_db()
    assert (row.state, row.last_error) == (State.DELIVERED, "")
