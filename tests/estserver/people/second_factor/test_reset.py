"""A lost second factor: who resets whose, by page and by command, and what the record says."""

import json
from io import StringIO

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command

from estserver.functions.admin import run_command
from estserver.people.roles import install_roles
from estserver.people.second_factor import factors
from tests.estserver.people.second_factor.browsing import (
    browser,
    clock,
    enroll,
    events,
    make_person,
    sign_in,
)

__all__ = ["clock"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _optional(settings):
    settings.EST_ADMIN_SECOND_FACTOR = "optional"


@pytest.fixture
def people(clock):
    """A superuser and an operator, who have second factors, and a people manager without one."""
    install_roles()
    found = {"chief": make_person()}
    for name, role in (("manager", "People manager"), ("operator", "Operator")):
        found[name] = make_person(name, is_superuser=False)
        found[name].groups.add(Group.objects.get(name=role))
    for name in ("chief", "operator"):
        enroll(found[name], clock)
    return found


def page_of(person):
    return f"/admin/second-factor/reset/{person.pk}/"


def as_manager():
    client = browser()
    sign_in(client, "manager")
    return client


def test_a_people_manager_resets_anothers_second_factor_with_a_reason(people):
    client, operator = as_manager(), people["operator"]
    shown = client.get(f"/admin/auth/user/{operator.pk}/change/").text
    assert f'href="{page_of(operator)}"' in shown
    assert "with 10 recovery codes left" in shown
    assert "This field is required." in client.post(page_of(operator), {"reason": ""}).text
    assert factors.factor_of(operator) is not None

    done = client.post(page_of(operator), {"reason": "the phone is lost"})

    assert done["Location"] == f"/admin/auth/user/{operator.pk}/change/"
    assert factors.factor_of(operator) is None
    (event,) = events("second-factor-reset")
    assert (event.actor, event.target) == ("admin:manager", "account:operator")
    assert (event.reason, event.source_ip) == ("the phone is lost", "192.0.2.7")
    page = client.get(done["Location"]).text
    assert "There is no second factor." in page
    assert "second-factor-reset" in page
    assert "the phone is lost" in page


def test_T86_a_superusers_second_factor_is_reset_by_superusers_only(people):
    client = as_manager()

    assert client.get(page_of(people["chief"])).status_code == 403
    assert client.post(page_of(people["chief"]), {"reason": "mine now"}).status_code == 403
    assert factors.factor_of(people["chief"]) is not None


def test_T86_nobody_resets_their_own_or_without_the_right(people, clock):
    app, _ = enroll(people["manager"], clock)
    manager = browser()
    sign_in(manager, "manager", code=app.code())
    viewer = browser()
    make_person("viewer", is_superuser=False)
    sign_in(viewer, "viewer")

    assert manager.post(page_of(people["manager"]), {"reason": "x"}).status_code == 403
    assert viewer.post(page_of(people["operator"]), {"reason": "x"}).status_code == 403
    assert factors.factor_of(people["manager"]) is not None
    assert factors.factor_of(people["operator"]) is not None


def test_who_has_none_has_nothing_to_reset(people):
    client = as_manager()
    plain = make_person("plain", is_superuser=False)

    assert client.get(page_of(plain))["Location"] == f"/admin/auth/user/{plain.pk}/change/"
    assert client.get("/admin/second-factor/reset/999999/").status_code == 404


def test_the_page_of_a_person_shows_the_trail_to_those_who_may_see_it(people):
    from django.contrib.auth.models import Permission

    clerk = make_person("clerk", is_superuser=False)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=["change_user", "view_user"]))
    client = browser()
    sign_in(client, "clerk")
    address = f"/admin/auth/user/{people['operator'].pk}/change/"

    assert "second-factor-add" not in client.get(address).text
    assert "second-factor-add" in as_manager().get(address).text


def command(*arguments):
    out = StringIO()
    call_command("second_factor", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_resets_also_a_superusers(people):
    said = command("reset", "chief", "--reason", "the phone is lost")

    assert said == "The second factor of chief is reset.\n"
    assert factors.factor_of(people["chief"]) is None
    (event,) = events("second-factor-reset")
    assert event.actor.startswith("command:")
    assert (event.target, event.reason) == ("account:chief", "the phone is lost")


def test_the_command_says_what_it_would_do(people):
    said = command("reset", "chief", "--reason", "lost", "--dry-run")

    assert said == (
        "A dry run. This is what would happen:\nThe second factor of chief is reset.\n"
        "nothing was changed (--dry-run)\n"
    )
    lines = command("reset", "chief", "--reason", "lost", "--json", "--dry-run").splitlines()
    assert [json.loads(line).get("account") for line in lines] == [None, "chief", None]
    assert factors.factor_of(people["chief"]) is not None
    assert not events("second-factor-reset")


@pytest.mark.parametrize(
    ("arguments", "sentence", "code"),
    [
        (("reset", "nobody", "--reason", "lost"), "There is no account 'nobody'.", 1),
        (("reset", "manager", "--reason", "lost"), "manager has no second factor", 1),
        (("reset", "chief", "--reason", " "), "needs a reason", 1),
        (("reset", "manager", "--reason", "lost", "--dry-run"), "manager has no second factor", 1),
        (("reset", "chief"), "required: --reason", 2),
    ],
)
def test_a_refusal_is_a_sentence(people, arguments, sentence, code):
    with pytest.raises(CommandError, match=sentence) as caught:
        command(*arguments)

    assert caught.value.returncode == code


def test_the_command_lists_who_may_sign_in(people):
    make_person("gone", is_active=False)

    lines = command("list").splitlines()
    rows = [json.loads(line) for line in command("list", "--json").splitlines()]

    assert lines[1:] == [
        "manager: no second factor",
        f"operator: second factor since {rows[2]['since'][:10]}, 10 recovery codes left",
    ]
    assert [row["account"] for row in rows] == ["chief", "manager", "operator"]
    assert [row["is_superuser"] for row in rows] == [True, False, False]


def test_the_command_runs_in_the_admins_function(people):
    answer = run_command(["second_factor", "reset", "chief", "--reason", "lost"], caller="eve")

    assert answer == {"exit_code": 0, "output": "The second factor of chief is reset.\n"}
    assert events("second-factor-reset")[0].actor == "command:eve"
