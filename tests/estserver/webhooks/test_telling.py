"""Notices by mail and to a topic: one message when one opens, and one when it is solved."""

import datetime
import json
import smtplib

import pytest
from django.core import mail
from django.utils import timezone

from estserver.console.overview import telling
from estserver.console.overview.notices import Notice, acknowledge
from estserver.models import Message, ToldNotice
from estserver.operations import schedule
from estserver.webhooks import notice_channels
from estserver.webhooks.messages import send_due
from pki.aws.clients import aws_client
from tests.estserver.webhooks.conftest import OFFICER

TOPIC = "arn:aws:sns:eu-central-1:123456789012:notices"
NOTICE = Notice("ca-expires:device-ca", 1, True, "The CA\nexpires.", "Make its successor.", "/a/")
OTHER = Notice("late:default", 1, False, "Certificates wait.", "See the schedule.")


@pytest.fixture
def notices(db, configure, monkeypatch):
    """Return the list of the notices that there are. Mails go to two people."""
    configure(notice_emails=("a@example.com", "b@example.com"), admin_domain_name="est.example")
    found = []
    monkeypatch.setattr(telling, "present_notices", lambda: list(found))
    monkeypatch.setattr(telling, "_looked_at", float("-inf"))
    return found


def told():
    return [(row.event, row.subject) for row in Message.objects.order_by("created_at")]


def test_a_notice_is_told_once_while_it_is_open(notices):
    notices.append(NOTICE)

    assert telling.look() == 1
    assert telling.look() == 0
    send_due(seconds=30)

    (one,) = mail.outbox
    assert one.to == ["a@example.com", "b@example.com"]
    assert one.subject == "[est-server] The CA expires."
    assert "Urgent" in one.body
    assert "Make its successor." in one.body
    assert "https://est.example/a/" in one.body
    assert Message.objects.get().state == Message.State.DELIVERED


def test_it_is_told_when_it_is_solved_for_good(notices, clock):
    notices.append(NOTICE)
    telling.look()
    notices.clear()
    assert telling.look() == 0
    clock(minutes=5)
    notices.append(NOTICE)  # it was gone for a moment
    assert telling.look() == 0
    notices.clear()
    telling.look()
    clock(minutes=11)

    assert telling.look() == 1

    assert [event for event, _ in told()] == ["notice.opened", "notice.solved"]
    assert told()[1][1] == "[est-server] Solved: The CA expires."
    assert not ToldNotice.objects.exists()
    notices.append(NOTICE)
    assert telling.look() == 1  # a new opening is told anew


def test_what_somebody_acknowledged_is_told_again_when_it_is_open_again(notices, clock):
    notices.append(NOTICE)
    telling.look()
    acknowledge(NOTICE, actor=OFFICER, reason="on it")
    assert telling.look() == 0
    clock(days=15)  # an acknowledgement holds for 14

    assert telling.look() == 1


def test_a_number_that_grows_is_not_told_again(notices):
    notices.append(Notice("parked:default", 1, True, "1 certificate cannot.", "Open the list."))
    telling.look()
    notices[:] = [Notice("parked:default", 9, True, "9 certificates cannot.", "Open the list.")]

    assert telling.look() == 0


def test_nobody_is_told_and_nothing_is_counted_without_a_receiver(
    notices, configure, django_assert_num_queries
):
    configure(notice_emails=())
    notices.append(NOTICE)

    with django_assert_num_queries(0):
        telling.tell_notices()


def test_the_schedule_looks_every_five_minutes(transactional_db, notices, monkeypatch):
    notices.append(NOTICE)
    schedule.every_minute({}, None)
    notices.append(OTHER)
    schedule.every_minute({}, None)
    assert len(mail.outbox) == 1
    monkeypatch.setattr(telling, "_looked_at", telling.time.monotonic() - telling.LOOKS_EVERY)

    schedule.every_minute({}, None)

    assert len(mail.outbox) == 2


def test_a_mail_server_that_fails_is_tried_again_and_shown(notices, monkeypatch, clock):
    notices.append(NOTICE)
    telling.look()

    def fail(*_):
        raise smtplib.SMTPAuthenticationError(535, b"the password is wrong")

    monkeypatch.setattr(mail.EmailMessage, "send", fail)
    send_due(seconds=30)

    row = Message.objects.get()
    assert row.state == Message.State.WAITING
    assert "SMTPAuthenticationError" in row.last_error
    assert "password is wrong" not in row.last_error
    monkeypatch.undo()
    row.next_attempt_at = timezone.now()
    row.save()
    send_due(seconds=30)
    assert len(mail.outbox) == 1


def test_the_password_of_the_mail_server_is_in_no_setting(notices, monkeypatch, settings):
    monkeypatch.setenv(notice_channels.PASSWORD_VARIABLE, "of-the-mail-server")
    used = []
    monkeypatch.setattr(
        notice_channels, "get_connection", lambda password: used.append(password) or None
    )
    notices.append(NOTICE)
    telling.look()

    send_due(seconds=30)

    assert used == ["of-the-mail-server"]
    assert settings.EMAIL_HOST_PASSWORD == ""


def test_a_topic_gets_the_same(notices, configure, aws_cloud):
    topic = aws_client("sns").create_topic(Name="notices")["TopicArn"]
    queue = aws_client("sqs").create_queue(QueueName="of-notices")["QueueUrl"]
    sqs = aws_client("sqs")
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    aws_client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"])
    configure(notice_topic_arn=topic)
    notices.append(NOTICE)
    assert telling.look() == 2  # the mail too

    send_due(seconds=30)

    (received,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    published = json.loads(received["Body"])
    assert published["Subject"] == "[est-server] The CA expires."
    assert "Make its successor." in published["Message"]
    assert len(mail.outbox) == 1


def test_a_topic_that_is_gone_is_a_failure_with_what_to_do(notices, configure, aws_cloud):
    configure(notice_emails=(), notice_topic_arn=TOPIC)
    notices.append(NOTICE)
    telling.look()

    send_due(seconds=30)

    assert "sns:Publish failed" in Message.objects.get().last_error


def test_messages_of_notices_are_kept_as_long_as_others(notices):
    notices.append(NOTICE)
    telling.look()

    row = Message.objects.get()

    assert row.give_up_at - row.created_at == datetime.timedelta(days=1)
