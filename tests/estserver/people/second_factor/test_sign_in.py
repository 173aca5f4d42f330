"""Sign-in with a second factor: what is asked, what a wrong code tells, and what it costs."""

import re

import pytest

from estserver.people.second_factor import factors
from estserver.people.sign_in.limits import NAME_AND_SENDER
from pki.models import AuditEvent
from tests.estserver.people.second_factor.browsing import (
    PASSWORD,
    TESTER,
    browser,
    clock,
    enroll,
    events,
    make_person,
    sign_in,
)

__all__ = ["clock"]

pytestmark = pytest.mark.django_db(transaction=True)

TOO_MANY = "Too many attempts to sign in have failed."


@pytest.fixture(autouse=True)
def _required(settings):
    settings.EST_ADMIN_SECOND_FACTOR = "required"


def errors_of(answer):
    return answer.context["form"].non_field_errors()


def test_a_person_signs_in_with_password_and_code(clock):
    app, _ = enroll(make_person(), clock)
    client = browser()

    assert sign_in(client, code=app.code()).status_code == 302

    assert client.get("/admin/").status_code == 200
    (event,) = events("sign-in")
    assert (event.actor, event.after) == ("admin:chief", {"second_factor": "one-time code"})


def test_a_person_signs_in_with_a_recovery_code_once(clock):
    _, codes = enroll(make_person(), clock)

    assert sign_in(browser(), code=codes[0]).status_code == 302
    assert sign_in(browser(), code=codes[0]).status_code == 200

    (used,) = events("recovery-code-used")
    assert (used.actor, used.source_ip) == ("admin:chief", "192.0.2.7")


def test_T86_the_answer_does_not_tell_which_part_was_wrong(clock):
    app, _ = enroll(make_person(), clock)
    attempts = {
        "password": {"password": "wrong", "code": app.code()},
        "code": {"code": app.wrong_code()},
        "no code": {"code": ""},
        "field left out": {},
        "name": {"name": "nobody", "code": app.code()},
        "account without one": {"name": "plain", "password": "wrong", "code": ""},
    }
    make_person("plain")

    answers = {
        what: sign_in(browser(f"192.0.2.{number}"), **attempt)
        for number, (what, attempt) in enumerate(attempts.items(), 1)
    }

    assert {answer.status_code for answer in answers.values()} == {200}
    assert len({tuple(errors_of(answer)) for answer in answers.values()}) == 1
    without = {
        re.sub(r'value="[^"]*"', "", answer.text.split("<main")[1]) for answer in answers.values()
    }
    assert len(without) == 1
    assert [event.after["wrong"] for event in events("sign-in-failed")] == [
        "password", "second factor", "second factor", "second factor", "password", "password"
    ]  # fmt: skip


def test_T86_wrong_codes_count_as_wrong_passwords_do(clock):
    app, _ = enroll(make_person(), clock)
    for number in range(NAME_AND_SENDER.free):
        wrong = {"password": "wrong"} if number % 2 else {"code": app.wrong_code()}
        assert TOO_MANY not in sign_in(browser(), **wrong).text

    refused = sign_in(browser(), code=app.code())

    assert TOO_MANY in refused.text
    assert sign_in(browser("198.51.100.1"), code=app.code()).status_code == 302


def test_T86_a_right_code_does_not_forgive_wrong_passwords(clock):
    app, codes = enroll(make_person(), clock)

    sign_in(browser(), password="wrong", code=app.code())
    sign_in(browser(), password="wrong", code=codes[0])

    assert factors.codes_left(make_person_again()) == 10
    assert sign_in(browser(), code=app.code()).status_code == 302  # a wrong password used nothing


def make_person_again():
    from django.contrib.auth import get_user_model

    return get_user_model().objects.get(username="chief")


def test_T86_a_code_that_opened_one_session_opens_no_other(clock):
    app, _ = enroll(make_person(), clock)
    assert sign_in(browser(), code=app.code()).status_code == 302

    assert sign_in(browser("198.51.100.9"), code=app.code()).status_code == 200


def test_the_form_asks_for_no_code_where_none_is_used(settings):
    settings.EST_ADMIN_SECOND_FACTOR = "none"
    make_person()

    assert 'name="code"' not in browser().get("/admin/login/").text
    assert sign_in(browser()).status_code == 302
    settings.EST_ADMIN_SECOND_FACTOR = "optional"
    assert 'name="code"' in browser().get("/admin/login/").text


def test_where_it_is_optional_only_those_who_have_one_are_asked(clock, settings):
    settings.EST_ADMIN_SECOND_FACTOR = "optional"
    make_person("plain")
    app, _ = enroll(make_person(), clock)
    client = browser()

    assert sign_in(client, "plain").status_code == 302
    assert client.get("/admin/").status_code == 200
    assert sign_in(browser()).status_code == 200
    assert sign_in(browser(), code=app.code()).status_code == 302


def test_T86_no_code_and_no_secret_is_on_the_audit_trail(clock):
    person = make_person()
    app, codes = enroll(person, clock)
    wrong = app.wrong_code()
    sign_in(browser(), code=wrong)
    sign_in(browser(), code=codes[0])
    factors.reset(person, actor=TESTER, reason="lost phone")

    said = str([
        (event.target, event.actor, event.reason, event.before, event.after)
        for event in AuditEvent.objects.all()
    ])  # fmt: skip

    for secret in (wrong, codes[0], PASSWORD):
        assert secret not in said
