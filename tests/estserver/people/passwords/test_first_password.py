"""T87: a password that another person or a command chose is changed before anything else."""

import logging
from io import StringIO

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command

from estserver.functions.admin import run_command
from estserver.models import PasswordToChange
from estserver.people.accounts.first_account import make_first_admin
from estserver.people.passwords import first_password
from tests.estserver.people.second_factor.browsing import (
    PASSWORD,
    TESTER,
    browser,
    events,
    make_person,
    sign_in,
)

pytestmark = pytest.mark.django_db(transaction=True)

CHANGE = "/admin/password_change/"
NEW = "another long word 8"


def change(client, old, new=NEW, address=CHANGE):
    form = {"old_password": old, "new_password1": new, "new_password2": new}
    return client.post(address, form)


@pytest.fixture
def first(data_dir):
    """A first account, and its password."""
    return make_first_admin("admin", actor=TESTER)


def test_T87_the_first_account_changes_its_password_before_any_other_page(first):
    client = browser()
    assert sign_in(client, "admin", first).status_code == 302

    led = client.get("/admin/pki/job/")
    assert led["Location"] == f"{CHANGE}?next=/admin/pki/job/"
    assert client.post("/admin/pki/job/", {})["Location"] == f"{CHANGE}?next=/admin/"
    assert "You did not choose this password." in client.get(CHANGE).text
    changed = change(client, first, address=led["Location"])

    assert changed["Location"] == "/admin/pki/job/"
    assert client.get("/admin/pki/job/").status_code == 200
    again = browser()
    assert sign_in(again, "admin", first).status_code == 200
    assert sign_in(again, "admin", NEW).status_code == 302
    assert again.get("/admin/").status_code == 200
    (event,) = events("account-password")
    assert (event.actor, event.target) == ("admin:admin", "account:admin")


@pytest.mark.parametrize(
    ("new", "sentence"),
    [
        (None, "This is the password that you have."),
        ("short", "This password is too short."),
        ("administrator", "This password is too common."),
    ],
)
def test_T87_the_next_password_is_another_one_and_passes_the_validators(first, new, sentence):
    client = browser()
    sign_in(client, "admin", first)

    refused = change(client, first, new or first)

    assert sentence in refused.text
    assert client.get("/admin/")["Location"].startswith(CHANGE)
    assert PasswordToChange.objects.exists()


def test_T87_the_file_with_the_first_password_goes_with_it(installation, capsys):
    call_command("quickstart", stdout=StringIO())
    path = first_password.file_path()
    password = path.read_text().strip()
    client = browser()
    sign_in(client, "admin", password)
    assert client.get("/admin/")["Location"] == f"{CHANGE}?next=/admin/"
    assert change(client, "wrong").status_code == 200
    assert path.exists()

    change(client, password)

    assert not path.exists()
    assert f"The file {path} held the old password, and is removed." in client.get("/admin/").text
    out = StringIO()
    call_command("quickstart", stdout=out)
    assert "account made before" in out.getvalue()
    assert not path.exists()


def test_a_file_with_another_password_stays(installation):
    path = first_password.file_path()
    path.write_text("the password of somebody else\n")
    make_person()
    client = browser()
    sign_in(client)

    assert change(client, PASSWORD)["Location"] == "/admin/password_change/done/"
    assert path.exists()


def test_a_file_that_cannot_be_removed_is_in_the_log_and_no_error(first, caplog, monkeypatch):
    path = first_password.file_path()
    path.write_text(first)
    client = browser()
    sign_in(client, "admin", first)

    def refuse(self, missing_ok=False):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(type(path), "unlink", refuse)
    with caplog.at_level(logging.ERROR):
        assert change(client, first).status_code == 302

    assert "cannot be removed" in caplog.text
    assert first not in caplog.text
    assert client.get("/admin/").status_code == 200


def test_T87_an_account_that_another_person_makes_changes_its_password(data_dir):
    make_person()
    client = browser()
    sign_in(client)
    fields = {"username": "new", "password1": PASSWORD, "password2": PASSWORD}
    client.post("/admin/auth/user/add/", {"usable_password": "true", **fields})
    account = get_user_model().objects.get(username="new")
    account.is_staff = True
    account.save()

    theirs = browser()
    sign_in(theirs, "new")

    assert theirs.get("/admin/")["Location"] == f"{CHANGE}?next=/admin/"


def test_T87_a_password_that_another_person_sets_is_changed_and_ones_own_is_not(data_dir):
    chief, other = make_person(), make_person("other")
    client = browser()
    sign_in(client)
    new = {"usable_password": "true", "password1": NEW, "password2": NEW}
    client.post(f"/admin/auth/user/{chief.pk}/password/", new)
    client.post(f"/admin/auth/user/{other.pk}/password/", new)

    theirs, own = browser(), browser()
    sign_in(theirs, "other", NEW)
    sign_in(own, password=NEW)

    assert theirs.get("/admin/")["Location"] == f"{CHANGE}?next=/admin/"
    assert own.get("/admin/").status_code == 200


def test_T87_the_old_password_is_guessed_as_seldom_as_at_the_sign_in(data_dir):
    make_person()
    client = browser()
    sign_in(client)
    for _ in range(5):
        assert "The password is wrong." in change(client, "wrong").text

    assert "Too many attempts" in change(client, PASSWORD).text
    assert [event.after["failures"] for event in events("password-check-failed")] == [1, 2, 3, 4, 5]
    assert not events("account-password")


def test_the_password_comes_before_the_second_factor(first, settings):
    settings.EST_ADMIN_SECOND_FACTOR = "required"
    client = browser()
    sign_in(client, "admin", first)
    assert client.get("/admin/")["Location"] == f"{CHANGE}?next=/admin/"

    change(client, first)

    assert client.get("/admin/")["Location"] == "/admin/second-factor/set-up/?next=/admin/"


def test_the_first_account_of_a_function_changes_its_password_too(installation):
    password = run_command(["first_admin"])["output"].split("password ")[1].split()[0]
    client = browser()

    sign_in(client, "admin", password)

    assert client.get("/admin/")["Location"] == f"{CHANGE}?next=/admin/"


def test_a_deleted_account_leaves_nothing_to_change(first):
    get_user_model().objects.get().delete()

    assert not PasswordToChange.objects.exists()
