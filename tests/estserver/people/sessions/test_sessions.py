"""Sessions end by themselves, by their person, by people managers, and when rights change."""

import datetime
import io
import json

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from estserver.models import ConsoleSession
from estserver.people.roles import install_roles
from estserver.people.sessions import record as sessions
from estserver.people.sessions.browsers import browser_in_words
from pki.models import AuditEvent

pytestmark = pytest.mark.django_db

PAGE = "/admin/sessions/"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


@pytest.fixture(autouse=True)
def _noted_each_minute(settings):
    settings.EST_ADMIN_SESSION_NOTED_EVERY = datetime.timedelta(minutes=1)


def person(name, role="", **facts):
    install_roles()
    account = User.objects.create_user(name, password="x", is_staff=True, **facts)
    account.groups.set(Group.objects.filter(name=role))
    return account


def signed_in(account):
    client = Client()
    client.force_login(account)
    return client


def is_signed_in(client):
    return client.get(PAGE).status_code == 200


def age(client, **seconds):
    session = client.session
    marks = session["console_session"]
    session["console_session"] = {
        **marks, **{name: marks[name] - value for name, value in seconds.items()}
    }  # fmt: skip
    session.save()


def test_T81_a_session_ends_when_it_is_not_used(settings):
    settings.EST_ADMIN_IDLE_TIME = datetime.timedelta(minutes=30)
    client = signed_in(person("alice"))
    age(client, seen=29 * 60)
    assert is_signed_in(client)
    age(client, seen=30 * 60 + 1)

    assert not is_signed_in(client)
    assert not Session.objects.exists()
    assert not ConsoleSession.objects.exists()


def test_T81_a_session_ends_however_much_it_is_used(settings):
    client = signed_in(person("alice"))
    age(client, began=8 * 3600 - 2)
    assert is_signed_in(client)
    age(client, began=3)

    assert not is_signed_in(client)


def test_a_page_asks_nothing_more_and_a_session_is_written_once_a_minute():
    client = signed_in(person("alice"))
    client.get("/admin/jsi18n/")

    with CaptureQueriesContext(
        connection,
    ) as asked:
        client.get("/admin/jsi18n/")
    assert [one["sql"].split()[0] for one in asked.captured_queries] == ["SELECT", "SELECT"]

    row = ConsoleSession.objects.get()
    ConsoleSession.objects.update(last_seen_at=row.last_seen_at - datetime.timedelta(seconds=61))
    age(client, seen=61)
    client.get("/admin/jsi18n/", REMOTE_ADDR="192.0.2.9")
    seen = ConsoleSession.objects.get()
    assert (seen.last_seen_at >= row.last_seen_at, seen.address) == (True, "192.0.2.9")
    with CaptureQueriesContext(connection) as again:
        client.get("/admin/jsi18n/")
    assert len(again.captured_queries) == 2


def test_the_page_shows_where_a_person_is_signed_in_and_ends_one_or_all_others():
    alice = person("alice")
    here = Client(HTTP_USER_AGENT=FIREFOX, REMOTE_ADDR="192.0.2.1")
    here.post("/admin/login/", {"username": "alice", "password": "x"})
    there, elsewhere = signed_in(alice), signed_in(alice)
    stranger = signed_in(person("bob"))

    text = here.get(PAGE).text
    assert "Firefox on Linux" in text
    assert "192.0.2.1" in text
    assert "(this one)" in text
    assert ">bob<" not in text

    row = ConsoleSession.objects.get(session_key=there.session.session_key)
    here.post(PAGE, {"session": str(row.pk)})
    assert (is_signed_in(there), is_signed_in(elsewhere)) == (False, True)
    here.post(PAGE, {"session": "others"})
    assert [is_signed_in(one) for one in (here, elsewhere, stranger)] == [True, False, True]
    ended = AuditEvent.objects.filter(action="session-end")
    assert {(row.actor, row.target) for row in ended} == {("admin:alice", "account:alice")}
    assert ended.count() == 2


def test_T53_a_people_manager_ends_sessions_but_not_those_of_a_superuser():
    manager = signed_in(person("paula", "People manager"))
    operator, root = signed_in(person("oscar", "Operator")), signed_in(
        User.objects.create_superuser("root", password="x")
    )  # fmt: skip
    rows = {row.account: str(row.pk) for row in ConsoleSession.objects.all()}
    names = {name: rows[User.objects.get(username=name).pk] for name in ("oscar", "root")}

    manager.post(PAGE, {"session": names["oscar"]})
    assert is_signed_in(operator)  # without a reason
    manager.post(PAGE, {"session": names["oscar"], "reason": "laptop lost"})
    refused = manager.post(PAGE, {"session": names["root"], "reason": "mine"})
    assert operator.post(PAGE, {"session": names["root"], "reason": "mine"}).status_code != 200

    assert refused.status_code == 403
    assert "A superuser may." in refused.text
    assert (is_signed_in(operator), is_signed_in(root)) == (False, True)
    assert AuditEvent.objects.get(action="session-end").reason == "laptop lost"


def test_T53_nobody_else_ends_the_session_of_another():
    officer, victim = signed_in(person("olga", "CA officer")), signed_in(person("bob"))
    row = ConsoleSession.objects.get(session_key=victim.session.session_key)

    answer = officer.post(PAGE, {"session": str(row.pk), "reason": "mine"})

    assert answer.status_code == 403
    assert "The role People manager may do it." in answer.text
    assert is_signed_in(victim)


@pytest.mark.parametrize("change", ["password", "role", "staff", "group"])
def test_T53_a_changed_password_or_role_ends_the_sessions(change):
    account = person("bob", "Viewer")
    client = signed_in(account)
    account = User.objects.get(pk=account.pk)
    if change == "password":
        account.set_password("another")
        account.save()
    elif change == "staff":
        account.is_superuser = True
        account.save()
    elif change == "role":
        account.groups.set(Group.objects.filter(name="Operator"))
    else:
        Group.objects.get(name="Operator").user_set.add(account)

    assert not is_signed_in(client)
    assert not ConsoleSession.objects.exists()
    assert not Session.objects.exists()


def test_another_field_of_the_account_ends_no_session():
    account = person("bob", "Viewer")
    client = signed_in(account)

    account.email = "bob@example.com"
    account.save()
    account.groups.set(account.groups.all())

    assert is_signed_in(client)


def test_T81_who_changes_their_own_password_stays_and_all_others_end():
    account = User.objects.create_user("alice", password="the first password", is_staff=True)
    here, there = signed_in(account), signed_in(account)
    typed = {
        "old_password": "the first password",
        "new_password1": "quite another phrase",
        "new_password2": "quite another phrase",
    }
    assert here.post("/admin/password_change/", typed).status_code == 302

    assert (is_signed_in(here), is_signed_in(there)) == (True, False)
    row = ConsoleSession.objects.get()
    assert row.session_key == here.session.session_key


def test_T81_a_changed_password_does_not_make_a_session_last_longer():
    account = User.objects.create_user("alice", password="the first password", is_staff=True)
    client = signed_in(account)
    age(client, began=8 * 3600 - 60)
    began = client.session["console_session"]["began"]
    typed = {
        "old_password": "the first password",
        "new_password1": "quite another phrase",
        "new_password2": "quite another phrase",
    }
    assert client.post("/admin/password_change/", typed).status_code == 302

    assert client.session["console_session"]["began"] == began
    age(client, began=61)
    assert not is_signed_in(client)


def test_signing_out_ends_the_session_on_record():
    client = signed_in(person("alice"))

    client.post("/admin/logout/")

    assert not ConsoleSession.objects.exists()


def test_a_session_from_before_goes_on_record_at_its_next_page():
    client = signed_in(person("alice"))
    ConsoleSession.objects.all().delete()
    session = client.session
    del session["console_session"]
    session.save()

    assert is_signed_in(client)
    assert ConsoleSession.objects.get().session_key == client.session.session_key


def test_the_command_lists_and_ends_sessions():
    clients = [signed_in(person(name)) for name in ("alice", "bob")]

    def run(*words):
        out = io.StringIO()
        call_command("sessions", *words, stdout=out)
        return out.getvalue().splitlines()

    listed = [json.loads(line) for line in run("list", "--json")]
    assert {one["account"] for one in listed} == {"alice", "bob"}
    run("end", "--account", "bob", "--reason", "gone", "--dry-run")
    assert is_signed_in(clients[1])
    assert run("end", "--account", "bob", "--reason", "gone")[-1] == "Ended: 1 sessions."
    assert [is_signed_in(one) for one in clients] == [True, False]
    with pytest.raises(CommandError, match="There is no account"):
        run("end", "--account", "nobody", "--reason", "gone")
    with pytest.raises(CommandError, match="Give the id of a session"):
        run("end", "--reason", "gone")


def test_the_command_ends_one_session_by_its_id_or_many_at_a_time(monkeypatch):
    monkeypatch.setattr(sessions, "REMOVED_TOGETHER", 2)
    alice = person("alice")
    clients = [signed_in(alice) for _ in range(6)]
    row = ConsoleSession.objects.get(session_key=clients[0].session.session_key)

    call_command("sessions", "end", str(row.pk), "--reason", "lost", stdout=io.StringIO())
    assert [is_signed_in(one) for one in clients] == [False] + [True] * 5
    call_command("sessions", "end", "--account", "alice", "--reason", "x", stdout=io.StringIO())

    assert not ConsoleSession.objects.exists()
    assert AuditEvent.objects.filter(action="session-end").count() == 6
    with pytest.raises(CommandError, match="There is no session") as caught:
        call_command("sessions", "end", str(row.pk), "--reason", "lost", stdout=io.StringIO())
    assert caught.value.returncode == 1


def test_rows_of_sessions_that_have_ended_are_removed():
    client = signed_in(person("alice"))
    signed_in(person("bob"))
    long_ago = sessions.timezone.now() - datetime.timedelta(days=2)
    key = client.session.session_key
    ConsoleSession.objects.filter(session_key=key).update(last_seen_at=long_ago)
    Session.objects.filter(session_key=key).update(expire_date=long_ago)

    sessions.remove_old_sessions()

    assert ConsoleSession.objects.count() == Session.objects.count() == 1


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (FIREFOX, "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/126.0 Safari/537.36 Edg/126.0",
         "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Safari/604.1",
         "Safari on iOS"),
        ("Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/126.0 Safari/537.36", "Chrome on Linux"),
        ("curl/8.5.0", "curl"),
        ("<script>alert(1)</script>", "An unknown browser"),
        ("", "An unknown browser"),
    ],
)  # fmt: skip
def test_a_browser_is_shown_in_words_of_ours(header, words):
    assert browser_in_words(header) == words


def test_a_people_manager_sees_on_a_persons_page_where_they_are_signed_in():
    manager, bob = signed_in(person("paula", "People manager")), person("bob", "Operator")
    viewer = person("vera")
    viewer.user_permissions.set(Permission.objects.filter(codename="view_user"))
    url = f"/admin/auth/user/{bob.pk}/change/"
    assert "End sessions" not in manager.get(url).text
    signed_in(bob)
    found = ConsoleSession.objects.filter(account=bob.pk)
    assert found.update(browser=browser_in_words(FIREFOX), address="192.0.2.77") == 1

    shown = manager.get(url).text
    for words in ("Firefox", "192.0.2.77", "End sessions"):
        assert words in shown
    hidden = signed_in(viewer).get(url)
    assert (hidden.status_code, "192.0.2.77" in hidden.text) == (200, False)
