"""Every address and every action of a list, and who gets an answer there: ``docs/roles.md``.

The addresses come from the resolver, so none can be forgotten. ``python -m
tests.estserver.people.write_role_matrix`` writes what the walk finds into the page, whose change a
person reviews as that of any rule.
"""

import copy
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.template.backends.django import Template
from django.test import Client, RequestFactory
from django.urls import URLResolver, get_resolver
from django.utils import timezone

from estserver.console.overview.report import present_notices
from estserver.console.site import ConsoleSite
from estserver.models import ApiToken
from estserver.people import two_persons
from estserver.people.roles import ROLES, install_roles
from pki.models import CertificateAuthority
from pki.record import audit_trail
from pki.record.audit_trail import Actor

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "roles.md"
WRITE = "EST_WRITE_ROLE_MATRIX"
"""The variable of the environment with which the test writes the page instead of comparing it."""

NO_ROLE, SUPERUSER, SIGNED_OUT = "No role", "Superuser", "Signed out"
PEOPLE = (*(role.name for role in ROLES), NO_ROLE, SUPERUSER, SIGNED_OUT)

OF_A_SUPERUSER = "{superuser}"
"""Stands in an address for the account of a superuser, whose pages have rules of their own."""

OF_ACCOUNTS = ("admin/auth/user/", "admin/second-factor/reset/", "admin/api-tokens/")
API = "api/v1/"
"""Where programs ask, with tokens: tests/estserver/api/role_matrix.py walks there."""

EXAMPLES = {
    "admin/api-tokens/<uuid:token>/end/": {"token": "{token}"},
    "admin/cas/<uuid:pk>/roll/": {"pk": "{ca}"},
    "admin/devices/<path:name>/": {"name": "pump-0001"},
    "admin/notices/<path:key>/acknowledge/": {"key": "{notice}"},
    "admin/requests/<uuid:key>/": {"key": "{request}"},
    "admin/second-factor/reset/<int:account>/": {"account": "{account}"},
    "admin/tools/test-enroll/clean-up/<str:name>/": {"name": "pump-0001"},
    "admin/r/<path:content_type_id>/<path:object_id>/": {"content_type_id": "1", "object_id": "1"},
    "admin/pki/certificateauthority/<uuid:object_id>/download/<slug:name>": {"name": "pem"},
    "admin/pki/issuedcertificate/<uuid:object_id>/download/<slug:name>": {"name": "pem"},
    "admin/pki/job/<uuid:object_id>/download/<slug:name>": {"name": "results"},
    "admin/(?P<url>.*)": {"url": "nothing"},
    "admin/(?P<app_label>)/": {"app_label": "pki"},
}
"""What to put into an address whose parts are no row of the model that it names."""

FOUND_BY_NOBODY = {
    "admin/(?P<url>.*)",
    "admin/r/<path:content_type_id>/<path:object_id>/",
    "admin/autocomplete/",
    "metrics",
    "admin/second-factor/recovery-codes.txt",
}
"""Addresses of Django's that lead to nothing here, one that asks for a token and for no person, and
one that shows what has just been made. They answer 404 to everybody here, or a refusal."""

_PLACE = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)")


@dataclass(frozen=True, order=True)
class Door:
    """An address, or an action of the list at an address (which a POST carries out)."""

    route: str
    action: str = ""

    def __str__(self) -> str:
        return f"{self.route} action={self.action}" if self.action else self.route


def doors() -> list[Door]:
    """Return every address of the resolver, and every action of each list, in order."""
    found = {Door(route) for route in _routes(get_resolver())}
    found = {door for door in found if not door.route.startswith(API)}
    found |= {
        Door(door.route.replace(place, OF_A_SUPERUSER))
        for door in found
        for place in re.findall(r"<(?:path:object_id|id|int:account|uuid:token)>", door.route)
        if door.route.startswith(OF_ACCOUNTS)
    }
    request = RequestFactory().get("/")
    request.user = User(username="all", is_superuser=True, is_active=True)
    for model, model_admin in admin.site._registry.items():
        label = model._meta.label_lower.replace(".", "/")
        found |= {Door(f"admin/{label}/", name) for name in model_admin.get_actions(request)}
    return sorted(found)


def _routes(resolver: Any, before: str = "") -> Iterator[str]:
    for one in resolver.url_patterns:
        route = before + re.sub(r"^\^|\\?\.?\(\?P<format>.*|\$$|\\Z$", "", str(one.pattern))
        if isinstance(one, URLResolver):
            yield from _routes(one, route)
        else:
            yield re.sub(r"\(\?P<(app_label)>[^)]*\)", r"(?P<\1>)", route)


class RememberingBackend(ModelBackend):
    """Django's backend, which reads each person and their permissions once a walk."""

    known: ClassVar[dict[Any, Any]] = {}

    def get_user(self, user_id: int) -> Any:
        """Return the person as they were read first."""
        if user_id not in self.known:
            self.known[user_id] = super().get_user(user_id)
        return self.known[user_id]


class Walk:
    """Requests to every door as each kind of person, in an installation that has every row."""

    def __init__(self) -> None:
        install_roles()
        RememberingBackend.known.clear()
        self.root = User.objects.create_superuser("root", password="x")
        self.ca = CertificateAuthority.objects.latest("pk")
        self.request = two_persons.ask(
            operation="pki_certificateauthority_distrust",
            row=str(self.ca.pk),
            subject="a CA",
            parameters={},
            person=self.root,
            actor=Actor("admin:root"),
        )
        self.notice = present_notices()[0].key
        self.carol = User.objects.get(username="carol")
        self.tokens = {person: _token_of(person) for person in (self.carol, self.root)}
        self.clients = {name: self._client(name) for name in PEOPLE}

    def _client(self, name: str) -> Client:
        client = Client()
        if name == SIGNED_OUT:
            return client
        person = User.objects.create_user(
            name, password="x", is_staff=True, is_superuser=name == SUPERUSER
        )
        person.groups.set(Group.objects.filter(name=name))
        client.force_login(person, f"{__name__}.RememberingBackend")
        return client

    def answers(self, door: Door) -> dict[str, tuple[str, ...]]:
        """Return the methods that each kind of person gets an answer to."""
        url = self.address(door.route)
        return {
            name: tuple(
                method for method in self._methods(door) if self._opens(client, method, url, door)
            )
            for name, client in self.clients.items()
        }

    @staticmethod
    def _methods(door: Door) -> tuple[str, ...]:
        return ("POST",) if door.action else ("GET", "POST")

    def _opens(self, client: Client, method: str, url: str, door: Door) -> bool:
        # No page is drawn: what is asked here is decided before.
        with (
            patch.object(Template, "render", lambda *_, **__: ""),
            patch.object(ConsoleSite, "each_context", lambda *_: {"has_permission": True}),
            _undone(client),
        ):
            if door.action:
                return self._takes_action(client, url, door)
            answer = client.get(url) if method == "GET" else client.post(url, {})
        if answer.status_code == 404:
            known = door.route in FOUND_BY_NOBODY or client is not self.clients[SUPERUSER]
            assert known, f"{door} was not found. Give the walk an example of it in EXAMPLES."
            return False
        assert answer.status_code < 500, f"{method} {url} answers {answer.status_code}"
        is_refused = answer.status_code in (400, 401, 403, 405)
        return not is_refused and not answer.get("Location", "").startswith("/admin/login/")

    def _takes_action(self, client: Client, url: str, door: Door) -> bool:
        keys = [str(row.pk) for row in _rows(door.route)[:100]]
        answer = client.post(url, {"action": door.action, ACTION_CHECKBOX_NAME: keys})
        return "operation" in (getattr(answer, "context_data", None) or {})

    def address(self, route: str) -> str:
        """Return an address of this installation for a route of the resolver."""
        given = EXAMPLES.get(route, {})

        def value(match: re.Match[str]) -> str:
            name = match[1] or match[2]
            if name in given:
                return given[name].format(
                    notice=self.notice,
                    request=self.request.pk,
                    token=self.tokens[self.carol].pk,
                    ca=self.ca.pk,
                    account=self.carol.pk,
                )
            assert name in ("object_id", "id"), f"Give the walk an example of {route} in EXAMPLES."
            row = next((row for row in _rows(route) if row != self.root), None)
            assert row is not None, f"The walk has no row for {route}. Let `furnish` make one."
            return str(row.pk)

        is_token = route.startswith("admin/api-tokens/")
        of_root = self.tokens[self.root] if is_token else self.root
        route = route.replace(OF_A_SUPERUSER, str(of_root.pk))
        return f"/{_PLACE.sub(value, route)}"


def _token_of(person: User) -> ApiToken:
    return ApiToken.objects.create(
        account_id=person.pk,
        name="x",
        sha256=str(person.pk),
        roles=["Viewer"],
        expires_at=timezone.now(),
    )


@contextmanager
def _undone(client: Client) -> Iterator[None]:
    """Take back what a request did, so that each meets the same installation."""
    cookies, head = copy.deepcopy(client.cookies), audit_trail.head()
    block = transaction.atomic()
    block._from_testcase = True  # so that services may open theirs in it, as in a TestCase
    with block:
        yield
        transaction.set_rollback(True)
    client.cookies = cookies
    audit_trail.restore(head)


def _rows(route: str) -> Any:
    """Return the rows of the model that an address names, as its list has them."""
    _, app, name, *_ = route.split("/")
    found = [
        model_admin
        for model, model_admin in admin.site._registry.items()
        if (model._meta.app_label, model._meta.model_name) == (app, name)
    ]
    assert found, f"Give the walk an example of {route} in EXAMPLES."
    return found[0].get_queryset(RequestFactory().get("/"))


def lines(found: dict[Door, dict[str, tuple[str, ...]]]) -> str:
    """Return the page's tables."""
    text, part = [], None
    for door, answers in found.items():
        section = "/".join(door.route.split("/")[:3]) if _has_model(door.route) else ""
        if section != part:
            part = section
            title = f"`{section}`" if section else "Pages of the console, and what all have"
            text += [f"\n## {title}\n", "| Address | " + " | ".join(PEOPLE) + " |"]
            text.append("|---" * (len(PEOPLE) + 1) + "|")
        cells = " | ".join(" ".join(answers[name]) for name in PEOPLE)
        shown = str(door).replace("|", r"\|")
        text.append(f"| `/{shown}` | {cells} |")
    return "\n".join(text) + "\n"


def in_order(found: list[Door]) -> list[Door]:
    """Return the doors in the page's order: those without a model first."""
    return sorted(found, key=lambda one: (_has_model(one.route), one))


def _has_model(route: str) -> bool:
    parts = route.split("/")
    apps = {model._meta.app_label for model in admin.site._registry}
    return len(parts) > 3 and parts[1] in apps
