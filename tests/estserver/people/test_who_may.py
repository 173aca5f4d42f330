"""The page of a refusal says which roles may do what was refused."""

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from estserver.people.roles import install_roles

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager():
    """A browser in which a people manager is signed in."""
    install_roles()
    person = User.objects.create_user("paula", is_staff=True)
    person.groups.add(Group.objects.get(name="People manager"))
    client = Client()
    client.force_login(person)
    return client


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("/admin/pki/job/", "The roles Viewer, Operator and CA officer may do it."),
        ("/admin/pki/denylistentry/add/", "The roles Operator and CA officer may do it."),
        ("/admin/settings/", "The role CA officer may do it."),
        ("/admin/pki/issuedcertificate/export/", "The roles Viewer, Operator and CA officer may"),
        ("/admin/iotprov/caregistration/register/", "The role CA officer may do it."),
        ("/admin/auth/group/add/", "No role may do it. A superuser may."),
        ("/admin/pki/job/add/", "Nobody may do it on this page"),
    ],
)
def test_T53_a_refusal_names_the_roles_that_may(manager, address, sentence):
    answer = manager.get(address)

    assert answer.status_code == 403
    assert sentence in answer.text


def test_T53_a_refusal_to_touch_a_superuser_says_that_no_role_may(manager):
    root = User.objects.create_superuser("root", password="x")

    answers = [
        manager.get(f"/admin/auth/user/{root.pk}/password/"),
        manager.post(f"/admin/auth/user/{root.pk}/change/", {"username": "mine"}),
    ]

    for answer in answers:
        assert answer.status_code == 403
        assert "No role may do it. A superuser may." in answer.text
