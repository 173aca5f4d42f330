"""Tokens: who has what right with one, when it is good, and what a wrong one costs."""

import datetime
import io
import json

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from estserver.models import ApiToken
from estserver.people import api_tokens
from estserver.people.api_tokens import PREFIX, end_token, holder_of, make_token
from estserver.people.sign_in.limits import SENDER
from pki.models import AuditEvent
from pki.operators.errors import OperatorError
from tests.estserver.api.conftest import TESTER, Program, person_with

pytestmark = pytest.mark.django_db(transaction=True)


def token_of(program):
    return program.headers["Authorization"].removeprefix("Bearer ")


def test_T120_a_token_has_256_random_bits_and_is_stored_as_a_digest(operator):
    token = token_of(operator)

    assert token.startswith(PREFIX)
    assert len(token) == len(PREFIX) + 43
    stored = repr(list(ApiToken.objects.values())) + repr(list(AuditEvent.objects.values()))
    assert token[len(PREFIX) + 4 :] not in stored


def test_T120_every_way_in_which_a_token_is_not_good_gets_the_same_answer(operator):
    row, person = ApiToken.objects.get(), get_user_model().objects.get(username="operator")
    assert operator.get("token").status_code == 200
    answers = [Program(token_of(operator)[:-1] + "x").get("token"), Program("x").get("token")]
    answers += [Program(PREFIX + "A" * 43).get("token")]

    # Step 1: a person who cannot sign in.
    for field in ("is_active", "is_staff"):
        get_user_model().objects.filter(pk=person.pk).update(**{field: False})
        answers.append(operator.get("token"))
        get_user_model().objects.filter(pk=person.pk).update(**{field: True})

    # Step 2: an expired one, an ended one, and one of an account that is gone.
    ApiToken.objects.update(expires_at=timezone.now())
    answers.append(operator.get("token"))
    ApiToken.objects.update(expires_at=timezone.now() + datetime.timedelta(days=1))
    assert end_token(row, actor=TESTER)
    answers.append(operator.get("token"))
    ApiToken.objects.update(ended_at=None)
    assert operator.get("token").status_code == 200
    person.delete()
    answers.append(operator.get("token"))

    said = {(answer.status_code, answer.json()["detail"]) for answer in answers}
    assert len(said) == 1
    assert {status for status, _ in said} == {401}
    assert {answer["WWW-Authenticate"] for answer in answers} == {
        'Bearer realm="EST server", error="invalid_token"'
    }


def test_T120_wrong_tokens_are_counted_by_address_and_a_good_one_is_never_kept_out(operator):
    stranger = Program(PREFIX + "A" * 43)

    statuses = [stranger.get("token").status_code for _ in range(SENDER.free + 2)]

    assert statuses == [401] * SENDER.free + [429] * 2
    assert 0 < int(stranger.get("token")["Retry-After"]) <= 60
    assert AuditEvent.objects.filter(action="api-token-refused").count() == SENDER.free
    assert operator.get("token").status_code == 200
    # Nor is a person of the same address.
    client = Client()
    person_with("", name="chief").set_password("x")
    get_user_model().objects.filter(username="chief").update(password="")
    chief = get_user_model().objects.get(username="chief")
    chief.set_password("a long enough word 7")
    chief.save()
    form = {"username": "chief", "password": "a long enough word 7"}
    assert client.post("/admin/login/", form).status_code == 302


def test_T121_a_token_has_those_of_its_roles_that_its_person_has_now(program):
    officer = program("CA officer", roles=["CA officer"])
    person = get_user_model().objects.get(username="ca-officer")
    assert officer.get("cas").status_code == 200

    person.groups.set(Group.objects.filter(name="Auditor"))
    assert officer.get("cas").status_code == 403
    assert officer.get("audit").status_code == 403
    assert officer.get("token").json()["permissions"] == []


def test_T121_a_token_has_less_than_its_person_when_it_has_fewer_roles(program):
    viewer = program("", roles=["Viewer"])

    refused = viewer.post("denylist", kind="name", value="x", reason="test")

    assert refused.status_code == 403
    assert refused.json()["roles"] == ["Operator", "CA officer"]
    assert "pki.add_denylistentry" in refused.json()["detail"]
    assert viewer.get("denylist").status_code == 200


def test_T121_nobody_makes_a_token_with_a_role_that_they_do_not_have():
    person = person_with("Operator")

    for roles in (["CA officer"], ["Operator", "People manager"], [], ["nonsense"]):
        with pytest.raises(OperatorError, match=r"role"):
            make_token(person, "ci", roles=roles, actor=TESTER)
    for days in (0, 366):
        with pytest.raises(OperatorError, match="days"):
            make_token(person, "ci", roles=["Operator"], days=days, actor=TESTER)
    for name in ("", "x) admin:root (token y", "a\nb", "n" * 61):
        with pytest.raises(OperatorError, match="name"):
            make_token(person, name, roles=["Operator"], actor=TESTER)
    assert not ApiToken.objects.exists()


def test_T121_neither_a_session_nor_a_cookie_counts(client, installation):
    client.force_login(person_with(""))

    assert client.get("/admin/").status_code == 200
    assert client.get("/api/v1/token").status_code == 401
    assert client.post("/api/v1/denylist", {}, content_type="application/json").status_code == 401


def test_the_last_use_is_noted_at_most_once_a_minute(operator, django_assert_num_queries):
    operator.get("token")
    row = ApiToken.objects.get()
    first = row.last_used_at
    assert row.last_used_from == "127.0.0.1"

    with django_assert_num_queries(3):  # the token, the person, the permissions
        operator.get("token")

    row.refresh_from_db()
    assert row.last_used_at == first


def test_each_token_that_is_made_or_ended_is_on_the_trail():
    person = person_with("Operator")
    row, token = make_token(person, "ci", roles=["Operator"], actor=TESTER)
    with pytest.raises(OperatorError, match="already"):
        make_token(person, "ci", roles=["Operator"], actor=TESTER)
    end_token(row, actor=TESTER)
    assert not end_token(row, actor=TESTER)

    events = AuditEvent.objects.order_by("pk").values_list("action", "target")
    assert list(events) == [
        ("api-token-add", "account:operator"),
        ("api-token-end", "account:operator"),
    ]
    assert holder_of(token) is None


def test_a_person_makes_and_ends_tokens_on_a_page_that_shows_a_token_once(client, installation):
    client.force_login(person_with("Operator"))
    form = {"name": "pipeline", "roles": ["Operator"], "days": "30"}

    refused = client.post("/admin/api-tokens/", {**form, "roles": ["CA officer"]})
    made = client.post("/admin/api-tokens/", form)

    assert b"Select a valid choice" in refused.content
    text = made.content.decode()
    token = text.partition('<code id="token">')[2].partition("<")[0]
    assert Program(token).get("token").json()["name"] == "pipeline"
    again = client.get("/admin/api-tokens/").content.decode()
    assert token not in again
    assert "pipeline" in again
    row = ApiToken.objects.get()
    assert client.get(f"/admin/api-tokens/{row.pk}/end/").status_code == 405
    assert client.post(f"/admin/api-tokens/{row.pk}/end/").status_code == 302
    assert Program(token).get("token").status_code == 401
    event = AuditEvent.objects.filter(action="api-token-end").get()
    assert event.actor == "admin:operator"


def test_T121_another_persons_token_is_ended_by_who_manages_people_only(client, program):
    program("")  # of the superuser root
    program("Operator")
    of_root, of_operator = (
        ApiToken.objects.get(roles=roles) for roles in (["CA officer"], ["Operator"])
    )

    client.force_login(person_with("Viewer"))
    assert client.post(f"/admin/api-tokens/{of_operator.pk}/end/").status_code == 403
    client.force_login(person_with("People manager"))
    assert client.post(f"/admin/api-tokens/{of_root.pk}/end/").status_code == 403
    assert client.post(f"/admin/api-tokens/{of_operator.pk}/end/").status_code == 302
    assert ApiToken.objects.filter(ended_at=None).get() == of_root


def test_the_command_adds_lists_and_ends_tokens(installation):
    person_with("Operator")

    def run(*words):
        out = io.StringIO()
        call_command("api_tokens", *words, stdout=out, stderr=io.StringIO())
        return out.getvalue().strip()

    token = run("add", "ci", "--person", "operator", "--role", "Operator")
    assert Program(token).get("token").status_code == 200
    listed = json.loads(run("list", "--json"))
    assert (listed["name"], listed["state"], listed["person"]) == ("ci", "good", "operator")
    with pytest.raises(CommandError, match="no account"):
        run("add", "ci", "--person", "nobody", "--role", "Operator")
    dry = run("add", "other", "--person", "operator", "--role", "Operator", "--dry-run")
    assert PREFIX not in dry
    assert "nothing was changed" in dry
    made = json.loads(run("add", "js", "--person", "operator", "--role", "Operator", "--json"))
    assert Program(made["token"]).get("token").status_code == 200
    assert {row.name for row in ApiToken.objects.all()} == {"ci", "js"}
    run("end", "ci", "--person", "operator")
    assert Program(token).get("token").status_code == 401
    assert "ended" in run("list")


def test_T120_a_token_is_taken_as_a_bearer_token_only(operator):
    token = token_of(operator)

    statuses = [
        operator.client.get("/api/v1/token", headers={"Authorization": said}).status_code
        for said in (
            f"bearer {token}",
            f"BEARER  {token}",
            f"Token {token}",
            f"Basic {token}",
            token,
        )
    ]

    assert statuses == [200, 200, 401, 401, 401]


def test_T121_a_person_has_so_many_good_tokens_and_no_more(monkeypatch):
    monkeypatch.setattr(api_tokens, "MOST_TOKENS", 2)
    person = person_with("Operator")
    for name in ("one", "two"):
        make_token(person, name, roles=["Operator"], actor=TESTER)

    with pytest.raises(OperatorError, match="has 2 tokens, and at most 2"):
        make_token(person, "three", roles=["Operator"], actor=TESTER)
    ApiToken.objects.filter(name="one").update(expires_at=timezone.now())
    make_token(person, "three", roles=["Operator"], actor=TESTER)
