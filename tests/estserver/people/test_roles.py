"""The roles that ``migrate`` makes, and what each lets a person do."""

import io

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.urls import reverse

from estserver.people.roles import ROLES, install_roles

pytestmark = pytest.mark.django_db(transaction=True)

NAMES = [role.name for role in ROLES]


@pytest.fixture
def sign_in(client):
    install_roles()

    def as_role(name):
        person = get_user_model().objects.create_user(name, password="x", is_staff=True)
        person.groups.add(Group.objects.get(name=name))
        client.force_login(person)
        return client

    return as_role


def test_migrate_makes_the_roles_and_gives_back_what_they_lost():
    call_command("migrate", stdout=io.StringIO())
    assert sorted(Group.objects.values_list("name", flat=True)) == sorted(NAMES)
    viewer = Group.objects.get(name="Viewer")
    viewer.permissions.set(Permission.objects.filter(codename="change_user"))

    call_command("migrate", stdout=io.StringIO())

    names = {f"{row.content_type.app_label}.{row.codename}" for row in viewer.permissions.all()}
    assert names == set(ROLES[0].permissions)
    assert Group.objects.count() == len(ROLES)


@pytest.mark.parametrize("name", NAMES)
def test_T53_no_role_can_make_itself_more_than_it_is(sign_in, name):
    client = sign_in(name)
    person = get_user_model().objects.get(username=name)
    root = get_user_model().objects.create_superuser("root", password="x")
    group = Group.objects.get(name=name)

    answers = [
        client.get(f"/admin/auth/user/{root.pk}/password/"),
        client.post(f"/admin/auth/user/{root.pk}/change/", {"username": "mine"}),
        client.post(f"/admin/auth/group/{group.pk}/change/", {"name": name, "permissions": [1, 2]}),
        client.post("/admin/auth/group/add/", {"name": "more", "permissions": [1, 2]}),
    ]

    assert [answer.status_code for answer in answers] == [403] * 4
    assert person.get_all_permissions() == person.get_group_permissions()


def test_T53_what_a_role_may_do_stays_with_the_version(sign_in):
    client = sign_in("Viewer")
    client.force_login(get_user_model().objects.create_superuser("root", password="x"))
    role = Group.objects.get(name="Viewer")
    other = Group.objects.create(name="Night shift")

    assert client.post(f"/admin/auth/group/{role.pk}/delete/", {"post": "yes"}).status_code == 403
    changed = client.post(f"/admin/auth/group/{role.pk}/change/", {"name": "Viewer"})
    assert changed.status_code == 403
    assert (
        client.post(f"/admin/auth/group/{other.pk}/change/", {"name": "Night shift"}).status_code
        == 302
    )


LISTS = {
    "pki_issuedcertificate": {"Viewer", "Operator", "CA officer"},
    "pki_certificateauthority": {"Viewer", "Operator", "CA officer"},
    "pki_certificateprofile": {"Viewer", "Operator", "CA officer"},
    "pki_denylistentry": {"Viewer", "Operator", "CA officer"},
    "pki_job": {"Viewer", "Operator", "CA officer"},
    "iotprov_provisioning": {"Viewer", "Operator", "CA officer"},
    "iotprov_templateversion": {"Viewer", "Operator", "CA officer"},
    "pki_auditevent": {"Operator", "CA officer", "Auditor", "People manager"},
    "auth_user": {"People manager"},
}


@pytest.mark.parametrize("name", NAMES)
def test_T53_each_list_is_for_the_roles_that_this_matrix_names(sign_in, name):
    client = sign_in(name)

    seen = {
        stem for stem in LISTS if client.get(reverse(f"admin:{stem}_changelist")).status_code == 200
    }

    assert seen == {stem for stem, roles in LISTS.items() if name in roles}


CHANGES = {
    "pki_denylistentry_add": {"Operator", "CA officer"},
    "pki_certificateprofile_add": {"CA officer"},
    "iotprov_templateversion_add": {"CA officer"},
    "iotprov_policyversion_add": {"CA officer"},
    "auth_user_add": {"People manager"},
}


@pytest.mark.parametrize("name", NAMES)
def test_T53_each_page_that_writes_is_for_the_roles_that_this_matrix_names(sign_in, name):
    client = sign_in(name)

    opened = {stem for stem in CHANGES if client.get(reverse(f"admin:{stem}")).status_code == 200}

    assert opened == {stem for stem, roles in CHANGES.items() if name in roles}


def test_the_page_on_people_has_each_role_as_the_version_has_it():
    text = (settings.BASE_DIR / "docs" / "people.md").read_text()

    section = text.partition("\n## Roles\n")[2].partition("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("| ")][1:]

    assert table == [f"| {role.name} | {role.purpose} |" for role in ROLES]
