"""Which role's token may make which call: asked of the calls, and compared with docs/roles.md."""

import os

import pytest
from django.contrib.auth.models import User
from django.test import Client

from estserver.people.roles import ROLES
from tests.estserver.api import role_matrix
from tests.estserver.api.role_matrix import NO_SUCH_METHOD, REFUSED
from tests.estserver.people.role_matrix import PAGE, WRITE

pytestmark = pytest.mark.django_db

QUESTIONS = {
    "audit/verify",
    "denylist/test",
    "doctor",
    "documents/policy/validate",
    "documents/preview",
    "documents/template/validate",
    "dry-run",
    "inspect",
    "certificates/export",
    "audit/export",
    "truststore/compare",
}
"""Calls that are a POST and change nothing but the audit trail, or make a file as a job."""


@pytest.fixture
def found(installation, caplog):
    """The status of every call with every role's token; one token asks for what no view has."""
    caplog.set_level("CRITICAL")
    tokens = role_matrix.clients()
    program = Client(raise_request_exception=False)
    one = dict(list(tokens.items())[:1])
    return {
        call: {
            name: role_matrix.ask(call, headers, program)
            for name, headers in (one if call.needs() is None else tokens).items()
        }
        for call in role_matrix.calls()
    }


def test_T53_every_call_is_for_the_roles_whose_permissions_it_states(found):
    for call, statuses in found.items():
        needs = call.needs()
        if needs is None:
            assert set(statuses.values()) == {NO_SUCH_METHOD}, call
            continue
        for role in ROLES:
            status = statuses[role.name]
            assert status != NO_SUCH_METHOD, (call, role.name)
            assert (status != REFUSED) == role.permissions.issuperset(needs), (call, role.name)
    _the_table_keeps_to_the_rules(found)
    _compare(role_matrix.lines(found))


def _the_table_keeps_to_the_rules(found):
    """What must hold whatever the views state."""
    for call, statuses in found.items():
        may = {name for name, status in statuses.items() if status not in (REFUSED, NO_SUCH_METHOD)}
        if call.route == "token":
            continue
        assert "Viewer" not in may or "Operator" in may, call
        assert "Operator" not in may or "CA officer" in may, call
        trail = {"Auditor", "People manager"}
        assert not may & trail or call.route.startswith("audit"), call
        if call.method != "GET" and call.route not in QUESTIONS:
            assert "Viewer" not in may, call


def _compare(text):
    page = PAGE.read_text()
    before, _, _ = page.partition(role_matrix.TITLE)
    if os.environ.get(WRITE):
        PAGE.write_text(f"{before.rstrip()}\n\n{text}")
    assert PAGE.read_text().partition(role_matrix.TITLE)[2] == text.partition(role_matrix.TITLE)[2]


def test_T53_no_call_is_answered_without_a_token_nor_to_a_signed_in_superuser(installation):
    browser = Client(raise_request_exception=False)
    browser.force_login(User.objects.create_superuser("root", password="x"))

    for call in role_matrix.calls():
        assert role_matrix.ask(call, {}, browser) == 401, call


def test_a_refusal_names_the_roles_that_may_make_the_call_and_not_those_of_a_part_of_it(program):
    said = program("Viewer").get("overview").json()

    assert said["permissions"] == ["pki.view_auditevent"]  # an auditor has it, and may not call
    assert said["roles"] == ["Operator", "CA officer"]
    assert "The roles Operator and CA officer may do it." in said["detail"]
