"""Every call of the API and the roles whose tokens may make it: the last part of docs/roles.md.

The calls come from `estserver.api.routes`, and each is sent with a token of each role and an empty
body. A refusal of the input or of an unknown row comes after that of the role, so it is an answer.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.test import Client
from django.urls import resolve
from django.utils.module_loading import import_string

from estserver.api.routes import ROOM, ROUTES
from estserver.people.api_tokens import make_token
from estserver.people.roles import ROLES, install_roles
from pki.models.fields import new_identifier
from pki.record.audit_trail import Actor

TITLE = "## The management API\n"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
REFUSED, NO_SUCH_METHOD = 403, 405
EXAMPLES = {
    "certificate": str(new_identifier()),
    "entry": str(new_identifier()),
    "form": "pem",
    "job": str(new_identifier()),
    "kind": "template",
    "message": str(new_identifier()),
    "name": "nobody",
    "number": "1",
    "row": str(new_identifier()),
    "webhook": str(new_identifier()),
}
"""What to put into an address. No such row is needed, because the role is looked at first."""


@dataclass(frozen=True, slots=True)
class Call:
    """A method at an address of the API."""

    method: str
    route: str
    view: Any

    @property
    def address(self) -> str:
        """The address with examples in its places."""
        return "/api/v1/" + re.sub(r"<\w+:(\w+)>", lambda it: EXAMPLES[it[1]], self.route)

    def needs(self) -> tuple[str, ...] | None:
        """Return the permissions that the view states; None for a method that it has not."""
        view = self.view()
        view.kwargs = resolve(self.address).kwargs
        found: tuple[str, ...] | None = view.permissions.get(self.method)
        return found


def calls() -> Iterator[Call]:
    """Yield every method at every address, the template's and the policy's apart."""
    for route, view, _ in ROUTES:
        kinds = ("template", "policy") if "<str:kind>" in route else ("",)
        for kind in kinds:
            for method in METHODS:
                yield Call(
                    method, route.replace("<str:kind>", kind), import_string(f"{ROOM}.{view}")
                )


def clients() -> dict[str, dict[str, str]]:
    """Make a person of each role, and return the headers that their tokens need."""
    install_roles()
    found = {}
    for role in ROLES:
        person = User.objects.create_user(f"the {role.name}", password="x", is_staff=True)
        person.groups.set(Group.objects.filter(name=role.name))
        _, token = make_token(person, "walk", roles=[role.name], actor=Actor("test"))
        found[role.name] = {"Authorization": f"Bearer {token}"}
    return found


def ask(call: Call, headers: dict[str, str], client: Client) -> int:
    """Send the call with an empty body, and return the status of the answer."""
    assert resolve(call.address).url_name != "no_such_address", call
    cache.clear()  # the walk has more requests than a token may make in a minute
    answer = client.generic(
        call.method, call.address, b"{}", content_type="application/json", headers=headers
    )
    assert answer.status_code < 500, f"{call} answers {answer.status_code}"
    return int(answer.status_code)


def lines(found: dict[Call, dict[str, int]]) -> str:
    """Return the part of the page."""
    names = [role.name for role in ROLES]
    text = [
        TITLE,
        "What a token of each role may call. A token without the role is refused with 403.\n",
        "| Call | Needs | " + " | ".join(names) + " |",
        "|---" * (len(names) + 2) + "|",
    ]
    for call, statuses in found.items():
        if all(status == NO_SUCH_METHOD for status in statuses.values()):
            continue
        needs = " and ".join(f"`{one}`" for one in call.needs() or ()) or "a token"
        cells = " | ".join("" if statuses[name] == REFUSED else "yes" for name in names)
        text.append(f"| `{call.method} /api/v1/{call.route}` | {needs} | {cells} |")
    return "\n".join(text) + "\n"
