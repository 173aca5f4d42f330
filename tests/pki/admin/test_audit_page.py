"""The page of the audit trail: filters by day, reason, address and actor; the trail is verified."""

import datetime

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from pki.admin import audit_operations
from pki.models import AuditEvent
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction
from pki.search import newest
from tests.support.builders import make_csr

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/pki/auditevent/"
VERIFY = f"{LIST}verify/"


@pytest.fixture
def alice(installation, client):
    """A browser in which the superuser alice is signed in."""
    client.force_login(User.objects.create_superuser("alice"))
    return client


@pytest.fixture
def trail(alice, est_client):
    """An enrollment, a refusal, and what two people did."""
    est_client.simpleenroll(make_csr("sensor-1"))
    est_client.simplereenroll(make_csr("sensor-9"))
    for actor, reason in (("admin:alice", "stolen from the Lab"), ("command:root", "retired")):
        in_write_transaction(
            lambda actor=actor, reason=reason: audit_trail.record(
                "deny", actor=Actor(actor, source_ip="2001:db8::7"), target="name:x", reason=reason
            )
        )


def listed(alice, **query):
    result = alice.get(LIST, query).context["cl"].result_list
    return sorted(f"{event.action} {event.actor.partition(':')[0]}" for event in result)


def test_events_are_found_by_reason_code_and_by_words(alice, trail):
    assert listed(alice, reason="nothing-to-renew") == ["refuse-reenroll client"]
    assert listed(alice, reason="the lab") == ["deny admin"]
    assert listed(alice, reason="zebra") == []


def test_events_are_found_by_address_and_actor(alice, trail):
    assert listed(alice, address="2001:DB8:0::7") == ["deny admin", "deny command"]
    assert listed(alice, address="2001:db8::7", actor="alice") == ["deny admin"]
    assert listed(alice, actor="command:root") == ["deny command"]


@pytest.mark.parametrize(
    ("actor", "is_found"),
    [
        ("admin:alice (token ci)", True),
        ("admin:bob for admin:alice", True),
        ("admin:bob", False),
        ("client:alice", True),
        ("system", False),
    ],
)
@pytest.mark.parametrize("typed", ["alice", "ali"])
def test_an_actor_is_found_by_the_beginning_of_its_name(alice, actor, typed, is_found):
    in_write_transaction(
        lambda: audit_trail.record("deny", actor=Actor(actor), target="name:x", reason="r")
    )

    found = [row.actor for row in alice.get(LIST, {"actor": typed}).context["cl"].result_list]

    assert (actor in found) is is_found


def test_events_are_found_by_day_together_with_the_rest(alice, trail):
    today, tomorrow = (
        f"{timezone.now() + datetime.timedelta(days=days):%Y-%m-%d}" for days in (0, 1)
    )

    assert "deny admin" in listed(alice, **{"from": today, "to": tomorrow})
    assert listed(alice, **{"from": tomorrow}) == []
    assert listed(alice, to=tomorrow, reason="retired") == ["deny command"]
    assert listed(alice, to="2001-01-01", reason="retired") == []


def test_the_line_that_a_device_was_answered_finds_its_event(alice, trail):
    event = AuditEvent.objects.get(action="refuse-reenroll")

    found = listed(alice, q=f"nothing-to-renew: No client. (request {event.request_id})")

    assert "refuse-reenroll client" in found


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"address": "::x"}, "&#x27;::x&#x27; is not an IP address."),
        ({"from": "yesterday"}, "&#x27;yesterday&#x27; is not a day. Use YYYY-MM-DD."),
    ],
)
def test_what_cannot_be_read_is_said(alice, trail, query, sentence):
    assert sentence in alice.get(LIST, query).text


@pytest.mark.skipif(connection.vendor != "sqlite", reason="reads SQLite's query plan")
@pytest.mark.parametrize(
    "query", [{"from": "2026-01-01"}, {"reason": "x"}, {"actor": "alice", "to": "2030-01-01"}]
)
def test_no_filter_walks_the_trail(alice, trail, query, monkeypatch):
    monkeypatch.setattr(newest, "MOST_ROWS", 2)

    plan = alice.get(LIST, query).context["cl"].queryset.order_by().explain()

    assert "SCAN pki_auditevent" not in plan, plan


def test_the_trail_is_verified_on_its_page(alice, trail, est_client):
    count = AuditEvent.objects.count()
    assert f"{count} rows" in alice.post(VERIFY).text
    with connection.cursor() as cursor:
        cursor.execute("UPDATE pki_auditevent SET reason = 'kindly' WHERE action = 'deny'")

    shown = alice.post(VERIFY).text

    assert "The audit trail does not hold at row" in shown
    assert "its contents were changed" in shown


def test_a_trail_that_takes_too_long_is_left_to_the_command(alice, trail, monkeypatch):
    monkeypatch.setattr(audit_operations, "MOST_ROWS", 2)

    assert "Run manage.py audit_verify." in alice.post(VERIFY).text
