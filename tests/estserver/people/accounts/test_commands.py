"""`people`: accounts by command, under the rules and with the audit rows of the pages."""

import io
import json
import sys

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from estserver.people.passwords import first_password
from estserver.people.roles import install_roles
from pki.models import AuditEvent


def run(*words):
    out = io.StringIO()
    call_command("people", *words, stdout=out)
    return out.getvalue()


def refused(*words):
    with pytest.raises(CommandError) as caught:
        run(*words)
    assert caught.value.returncode == 1
    return str(caught.value)


@pytest.fixture
def roles(db):
    install_roles()


def newest_event():
    return AuditEvent.objects.order_by("at").last()


def test_an_account_is_made_with_roles_and_a_password_that_is_shown_once(roles):
    said = json.loads(run("add", "alice", "--role", "operator", "--role", "AUDITOR", "--json"))

    account = User.objects.get(username="alice")
    assert authenticate(username="alice", password=said["password"]) == account
    assert (account.is_staff, account.is_superuser) == (True, False)
    assert sorted(account.groups.values_list("name", flat=True)) == ["Auditor", "Operator"]
    event = newest_event()
    assert (event.action, event.target, event.before) == ("account-add", "account:alice", None)
    assert event.after["groups"] == ["Auditor", "Operator"]
    assert said["password"] not in json.dumps(event.after)
    assert first_password.has_to_change(account)


def test_a_password_is_read_from_standard_input_and_printed_nowhere(roles, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("a-long-enough-one-42\n"))
    said = run("add", "alice", "--password-stdin")

    assert "a-long-enough" not in said
    assert authenticate(username="alice", password="a-long-enough-one-42")
    monkeypatch.setattr(sys, "stdin", io.StringIO("another-good-one-43\n"))
    first_password.note_change(User.objects.get())
    run("password", "alice", "--reason", "forgotten")
    assert first_password.has_to_change(User.objects.get())
    assert authenticate(username="alice", password="another-good-one-43")
    assert (newest_event().action, newest_event().reason) == ("account-password", "forgotten")


def test_a_weak_password_is_refused(roles, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("12345678\n"))

    assert "The password cannot be taken." in refused("add", "alice", "--password-stdin")
    assert not User.objects.exists()


@pytest.mark.parametrize("name", ["", "two words", "x" * 200])
def test_an_impossible_name_is_refused(roles, name):
    assert refused("add", name)
    assert not User.objects.exists()


def test_a_taken_name_and_an_unknown_role_are_refused(roles):
    run("add", "alice")

    assert "There is an account 'alice' already" in refused("add", "alice")
    assert "There is no role 'chief'. Use: Auditor, CA officer" in refused(
        "add", "bob", "--role", "chief"
    )
    assert "There is no account 'carl'" in refused("show", "carl")


def test_roles_are_replaced(roles):
    run("add", "alice", "--role", "operator")

    run("set-roles", "alice", "--role", "auditor", "--reason", "moved")

    event = newest_event()
    assert (event.action, event.reason) == ("account-change", "moved")
    assert (event.before["groups"], event.after["groups"]) == (["Operator"], ["Auditor"])
    assert "none" in run("set-roles", "alice", "--reason", "left")


def test_a_disabled_account_cannot_sign_in_until_it_is_enabled(roles):
    password = json.loads(run("add", "alice", "--json"))["password"]

    run("disable", "alice", "--reason", "left")
    assert authenticate(username="alice", password=password) is None
    run("enable", "alice", "--reason", "came back")
    assert authenticate(username="alice", password=password)


def test_the_last_superuser_cannot_be_disabled(roles):
    User.objects.create_superuser("chief", password="x")
    assert "the last superuser" in refused("disable", "chief", "--reason", "r")

    User.objects.create_superuser("deputy", password="x")
    run("disable", "chief", "--reason", "r")

    assert "the last superuser" in refused("disable", "deputy", "--reason", "r")


def test_accounts_and_roles_are_listed(roles):
    run("add", "alice", "--role", "operator")

    assert json.loads(run("list", "--json"))["groups"] == ["Operator"]
    assert run("list").splitlines()[1].startswith("alice     Operator")
    assert len(run("roles", "--json").splitlines()) == 5
    assert (
        "pki.add_denylistentry" in json.loads(run("roles", "--json").splitlines()[1])["permissions"]
    )
