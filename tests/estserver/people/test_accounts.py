"""Accounts and groups: nobody raises their own rights, and each change is on the audit trail."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission

from pki.models import AuditEvent

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "a long enough word 7"
ALL_OF_AUTH = ("add", "change", "delete", "view")


@pytest.fixture
def people():
    """A superuser, and a person with every permission over accounts and groups."""
    users = get_user_model().objects
    root = users.create_superuser("root", password=PASSWORD)
    manager = users.create_user("manager", password=PASSWORD, is_staff=True)
    names = [f"{verb}_{noun}" for verb in ALL_OF_AUTH for noun in ("user", "group")]
    manager.user_permissions.set(Permission.objects.filter(codename__in=names))
    other = users.create_user("other", password=PASSWORD, is_staff=True)
    return {"root": root, "manager": manager, "other": other}


def page_of(account, suffix="change/"):
    return f"/admin/auth/user/{account.pk}/{suffix}"


def form_of(account, **changes):
    """What a browser sends of an account's form."""
    fields = {
        "username": account.username,
        "first_name": "",
        "last_name": "",
        "email": account.email,
        "is_active": "on" if account.is_active else "",
        "is_staff": "on" if account.is_staff else "",
        "is_superuser": "on" if account.is_superuser else "",
        "groups": list(account.groups.values_list("pk", flat=True)),
        "user_permissions": list(account.user_permissions.values_list("pk", flat=True)),
        **changes,
    }
    return {name: value for name, value in fields.items() if value != ""} | {"first_name": ""}


def events(action):
    return list(AuditEvent.objects.filter(action=action))


def test_T53_a_superusers_account_is_changed_by_superusers_only(client, people):
    client.force_login(people["manager"])
    root = people["root"]

    changed = client.post(page_of(root), form_of(root, username="mine"))
    password = client.post(
        page_of(root, "password/"), {"password1": "x7-another", "password2": "x7-another"}
    )
    deleted = client.post(page_of(root, "delete/"), {"post": "yes"})

    assert (changed.status_code, password.status_code, deleted.status_code) == (403, 403, 403)
    root.refresh_from_db()
    assert root.username == "root"
    assert root.check_password(PASSWORD)


@pytest.mark.parametrize("name", ["manager", "other"])
def test_T53_only_a_superuser_makes_superusers_and_gives_single_permissions(client, people, name):
    client.force_login(people["manager"])
    account = people[name]
    every = list(Permission.objects.values_list("pk", flat=True))
    before = account.get_all_permissions()

    answer = client.post(
        page_of(account), form_of(account, is_superuser="on", user_permissions=every)
    )

    assert answer.status_code == 302  # the rest of the form is taken
    account = get_user_model().objects.get(pk=account.pk)
    assert not account.is_superuser
    assert account.get_all_permissions() == before


@pytest.mark.parametrize("name", ["manager", "root"])
def test_T53_nobody_changes_their_own_rights(client, people, name):
    group = Group.objects.create(name="officers")
    client.force_login(people[name])
    own = people[name]

    client.post(page_of(own), form_of(own, groups=[group.pk], is_active="", is_staff=""))

    own = get_user_model().objects.get(pk=own.pk)
    assert (own.is_active, own.is_staff) == (True, True)
    assert not own.groups.exists()
    assert client.post(page_of(own, "delete/"), {"post": "yes"}).status_code == 403


def test_T53_what_a_group_may_do_is_decided_by_superusers(client, people):
    group = Group.objects.create(name="officers")
    people["manager"].groups.add(group)
    client.force_login(people["manager"])
    every = list(Permission.objects.values_list("pk", flat=True))
    path = f"/admin/auth/group/{group.pk}/"

    changed = client.post(path + "change/", {"name": "officers", "permissions": every})
    added = client.post("/admin/auth/group/add/", {"name": "new", "permissions": every})
    deleted = client.post(path + "delete/", {"post": "yes"})

    assert (changed.status_code, added.status_code, deleted.status_code) == (403, 403, 403)
    assert not group.permissions.exists()


def test_a_person_who_manages_accounts_puts_others_into_groups(client, people):
    group = Group.objects.create(name="viewers")
    client.force_login(people["manager"])
    other = people["other"]

    assert client.post(page_of(other), form_of(other, groups=[group.pk])).status_code == 302

    (event,) = events("account-change")
    assert (event.actor, event.target) == ("admin:manager", "account:other")
    assert event.source_ip == "127.0.0.1"
    assert (event.before["groups"], event.after["groups"]) == ([], ["viewers"])


def test_each_change_of_an_account_is_on_the_audit_trail_without_its_password(client, people):
    client.force_login(people["root"])

    client.post(
        "/admin/auth/user/add/",
        {
            "username": "new",
            "usable_password": "true",
            "password1": PASSWORD,
            "password2": PASSWORD,
        },
    )
    account = get_user_model().objects.get(username="new")
    client.post(
        page_of(account, "password/"),
        {"usable_password": "true", "password1": "x7-another-1", "password2": "x7-another-1"},
    )
    client.post(page_of(account, "delete/"), {"post": "yes"})

    assert [event.target for event in events("account-add")] == ["account:new"]
    assert [event.target for event in events("account-password")] == ["account:new"]
    (deleted,) = events("account-delete")
    assert deleted.before["username"] == "new"
    said = str([(event.before, event.after) for event in AuditEvent.objects.all()])
    assert "pbkdf2" not in said
    assert "password" not in said


def test_ones_own_new_password_is_on_the_audit_trail_and_a_refused_one_is_not(client, people):
    client.force_login(people["other"])
    new = {"new_password1": "x7-another-1", "new_password2": "x7-another-1"}

    client.post("/admin/password_change/", {"old_password": "wrong", **new})
    assert not events("account-password")
    assert (
        client.post("/admin/password_change/", {"old_password": PASSWORD, **new}).status_code == 302
    )

    (event,) = events("account-password")
    assert (event.actor, event.target) == ("admin:other", "account:other")


def test_each_change_of_a_group_is_on_the_audit_trail(client, people):
    client.force_login(people["root"])
    permission = Permission.objects.get(codename="view_user")

    client.post("/admin/auth/group/add/", {"name": "viewers"})
    group = Group.objects.get(name="viewers")
    client.post(
        f"/admin/auth/group/{group.pk}/change/",
        {"name": "viewers", "permissions": [permission.pk]},
    )
    client.post(f"/admin/auth/group/{group.pk}/delete/", {"post": "yes"})

    assert len(events("group-add")) == 1
    (change,) = events("group-change")
    assert (change.before["permissions"], change.after["permissions"]) == ([], ["auth.view_user"])
    assert events("group-delete")[0].before["permissions"] == ["auth.view_user"]
