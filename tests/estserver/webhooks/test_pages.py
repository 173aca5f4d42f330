"""Webhooks and messages as people use them: pages, the command, and who may do what."""

import io
import json
import re

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from estserver.models import Message, Webhook
from estserver.people.roles import install_roles
from estserver.webhooks.messages import attempt
from estserver.webhooks.subscriptions import end_webhook
from tests.estserver.webhooks.conftest import OFFICER

SECRET = re.compile(r"whsec_[A-Za-z0-9+/]+=*")


@pytest.fixture
def sign_in(db, client):
    """Return a function that signs in a person of a role, and returns the client."""
    install_roles()

    def sign(role):
        person = User.objects.create_user("somebody", password="x" * 20, is_staff=True)
        person.groups.add(Group.objects.get(name=role))
        client.force_login(person)
        return client

    return sign


def page(name, *args):
    return reverse(f"admin:estserver_{name}", args=args)


def run(*arguments):
    out = io.StringIO()
    call_command("webhooks", *arguments, stdout=out)
    return out.getvalue()


def test_an_officer_adds_a_webhook_and_sees_the_secret_once(sign_in, receiver):
    client = sign_in("CA officer")
    given = {
        "name": "inventory",
        "url": receiver.url,
        "events": ["ca.created", "certificate.revoked"],
        "reason": "The inventory follows.",
    }

    shown = client.post(page("webhook_add"), given)

    webhook = Webhook.objects.get()
    assert shown.status_code == 200
    assert "no-store" in shown["Cache-Control"]
    assert len(SECRET.findall(shown.content.decode())) == 1
    assert webhook.created_by == "admin:somebody"
    for url in (page("webhook_change", webhook.pk), page("webhook_changelist")):
        later = client.get(url).content.decode()
        assert "inventory" in later
        assert not SECRET.search(later)
        assert "of-the-receiver" not in later
    assert receiver.got == []
    client.post(page("webhook_test", webhook.pk))
    assert receiver.events() == ["webhook.test"]
    rotated = client.post(page("webhook_rotate", webhook.pk), {"reason": "due"})
    assert SECRET.search(rotated.content.decode())
    client.post(page("webhook_end", webhook.pk), {"reason": "over"})
    assert Webhook.objects.get().ended_at is not None


def test_what_cannot_be_a_webhook_is_said_at_its_field(sign_in):
    client = sign_in("CA officer")

    shown = client.post(
        page("webhook_add"), {"name": "a", "url": "http://h.example/", "reason": "r"}
    )

    text = shown.content.decode()
    assert "https://host/path" in text
    assert "This field is required" in text
    assert not Webhook.objects.exists()


def test_a_message_that_was_given_up_is_sent_again_by_an_operator(sign_in, subscribe, receiver):
    webhook, _ = subscribe()
    client = sign_in("Operator")
    receiver.status = 410
    assert client.post(page("webhook_test", webhook.pk)).status_code == 403
    call_test(webhook)
    row = Message.objects.get()
    assert row.state == Message.State.PARKED
    listed = client.get(page("message_changelist"), {"state__exact": "parked"}).content.decode()
    assert "The receiver says 410" in listed
    shown = client.get(page("message_change", row.pk)).content.decode()
    assert "<pre>{\n  &quot;type&quot;: &quot;webhook.test&quot;,\n" in shown

    client.post(page("message_again", row.pk), {"reason": "it is back"})

    receiver.status = 204
    row.refresh_from_db()
    assert row.state == Message.State.WAITING
    assert attempt(row) == ""


def call_test(webhook):
    from estserver.webhooks.subscriptions import test_webhook

    return test_webhook(webhook, actor=OFFICER)


@pytest.mark.parametrize(
    ("role", "sees", "adds", "repeats"),
    [
        ("Viewer", True, False, False),
        ("Operator", True, False, True),
        ("CA officer", True, True, True),
        ("Auditor", False, False, False),
        ("People manager", False, False, False),
    ],
)
def test_T131_who_may_see_add_and_repeat(sign_in, subscribe, receiver, role, sees, adds, repeats):
    webhook, _ = subscribe()
    call_test(webhook)
    message = Message.objects.get()
    client = sign_in(role)

    def is_open(name, *args):
        return client.get(page(name, *args)).status_code == 200

    assert is_open("webhook_changelist") is sees
    assert is_open("message_changelist") is sees
    assert is_open("message_change", message.pk) is sees
    assert is_open("webhook_add") is adds
    assert is_open("webhook_rotate", webhook.pk) is adds
    assert is_open("webhook_end", webhook.pk) is adds
    assert is_open("webhook_test", webhook.pk) is adds
    assert is_open("message_again", message.pk) is repeats


def test_the_command_does_what_the_pages_do(db, receiver):
    added = json.loads(run("add", "ours", receiver.url, "--every-event", "--reason", "r", "--json"))
    assert SECRET.fullmatch(added["secret"])
    assert "of-the-receiver" not in run("list")
    (listed,) = map(json.loads, run("list", "--json").splitlines())
    assert "secret" not in listed
    assert listed["host"] == f"https://localhost:{receiver.port}"
    assert "has taken the test" in run("test", "ours")
    (sent,) = map(json.loads, run("deliveries", "--state", "delivered", "--json").splitlines())
    assert (sent["event"], sent["webhook"]) == ("webhook.test", "ours")
    assert "is sent again" in run("redeliver", f"msg_{sent['id']}", "--reason", "r")
    assert Message.objects.get().state == Message.State.WAITING
    rotated = json.loads(run("rotate", added["id"], "--reason", "r", "--json"))
    assert rotated["secret"] != added["secret"]
    run("end", "ours", "--reason", "r")
    assert "no webhook" in run("list")
    assert re.search("ours +ended", run("list", "--all"))


def test_a_dry_run_writes_nothing(db, subscribe, receiver):
    webhook, _ = subscribe()
    call_test(webhook)
    before = list(Webhook.objects.values()) + list(Message.objects.values())

    for arguments in (
        ("add", "other", receiver.url, "--event", "ca.created"),
        ("rotate", "ours"),
        ("end", "ours"),
        ("redeliver", str(Message.objects.get().pk)),
    ):
        said = run(*arguments, "--reason", "r", "--dry-run")
        assert "nothing was changed" in said
        assert not SECRET.search(said)

    assert list(Webhook.objects.values()) + list(Message.objects.values()) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("test", "nobody"), "no active webhook"),
        (("add", "a", "http://h.example/", "--event", "ca.created", "--reason", "r"), "https://"),
        (("add", "a", "https://h.example/", "--event", "no", "--reason", "r"), "no event no"),
        (("redeliver", "0" * 32, "--reason", "r"), "no message"),
        (("end", "nobody", "--reason", "r", "--dry-run"), "no active webhook"),
        (("deliveries", "--webhook", "nobody"), "no active webhook"),
    ],
)
def test_the_command_refuses_with_a_sentence(db, arguments, said):
    with pytest.raises(CommandError, match=said) as refused:
        run(*arguments)

    assert refused.value.returncode == 1


def test_a_test_that_is_not_taken_is_exit_code_1(db, subscribe, receiver):
    webhook, _ = subscribe()
    receiver.status = 500

    with pytest.raises(CommandError, match="The receiver says 500"):
        run("test", "ours")
    with pytest.raises(CommandError) as refused:
        run("test", "ours", "--json")
    assert refused.value.returncode == 1

    end_webhook(webhook, reason="over", actor=OFFICER)


def test_the_lists_of_many_messages_are_read_along_an_index(sign_in, subscribe, receiver):
    webhook, _ = subscribe()
    call_test(webhook)
    one = Message.objects.get()
    rows = [
        Message(
            channel=one.channel, webhook=webhook, once=f"{number}", event=one.event, body=one.body,
            state=Message.State.PARKED if number % 100 == 0 else Message.State.DELIVERED,
            give_up_at=one.give_up_at,
        )
        for number in range(3000)
    ]  # fmt: skip
    Message.objects.bulk_create(rows)
    client = sign_in("Operator")

    for query in ({}, {"state__exact": "parked"}, {"webhook__id__exact": str(webhook.pk)}):
        with CaptureQueriesContext(connection) as asked:
            assert client.get(page("message_changelist"), query).status_code == 200
        assert len(asked) <= 15
        for statement in asked.captured_queries:
            if 'FROM "estserver_message"' in statement["sql"]:
                assert plan(statement["sql"]) == [], statement["sql"]


def plan(sql):
    """The steps of a statement that read a whole table, or sort what they have read."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
        steps = [row[3] for row in cursor.fetchall()]
    return [
        step
        for step in steps
        if (step.startswith("SCAN estserver_message") and "USING" not in step) or "B-TREE" in step
    ]
