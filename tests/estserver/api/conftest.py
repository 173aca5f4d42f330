"""Programs that call the management API in process, with tokens of people of each role."""

import json

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.test import Client

from estserver.people.api_tokens import make_token
from estserver.people.roles import install_roles
from pki.record.audit_trail import Actor

TESTER = Actor("test")


class Program:
    """What sends a token, and JSON."""

    def __init__(self, token, **headers):
        self.client = Client(raise_request_exception=False)
        self.headers = {"Authorization": f"Bearer {token}", **headers}

    def get(self, path, **query):
        return self.client.get(f"/api/v1/{path}", query, headers=self.headers)

    def post(self, path, /, key=None, **body):
        return self.send("post", path, body, **({"Idempotency-Key": key} if key else {}))

    def send(self, method, path, body, **headers):
        return getattr(self.client, method)(
            f"/api/v1/{path}",
            json.dumps(body),
            content_type="application/json",
            headers={**self.headers, **headers},
        )


def person_with(role, name=None):
    """Make a person with a role; "" is a superuser."""
    users = get_user_model().objects
    install_roles()
    if not role:
        return users.create_superuser(name or "root", password="x")
    person = users.create_user(name or role.lower().replace(" ", "-"), password="x", is_staff=True)
    person.groups.add(Group.objects.get(name=role))
    return person


@pytest.fixture(autouse=True)
def _nothing_counted():
    """Each test begins with no request counted."""
    cache.clear()


@pytest.fixture
def program(installation):
    """Return a function that makes a program of a person with this role."""

    def with_role(role, *, roles=None, name="ci"):
        person = person_with(role)
        has = roles or ([role] if role else ["CA officer"])
        _, token = make_token(person, name, roles=has, actor=TESTER)
        return Program(token)

    return with_role


@pytest.fixture
def operator(program):
    """A program with the role Operator."""
    return program("Operator")


@pytest.fixture
def officer(program):
    """A program with the role CA officer."""
    return program("CA officer")
