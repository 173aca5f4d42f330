"""T52: a password is guessed a few times an hour, and each attempt is on the audit trail."""

import datetime
import json
import threading

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client

from estserver.models import SignInFailures
from estserver.people.sign_in import limits as sign_in_limits
from estserver.people.sign_in.limits import NAME_AND_SENDER, SENDER
from pki.models import AuditEvent

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "a long enough word 7"
TOO_MANY = "Too many attempts to sign in have failed."
WRONG = "Please enter the correct username and password"


@pytest.fixture(autouse=True)
def account():
    return get_user_model().objects.create_superuser("chief", password=PASSWORD)


def sign_in(name="chief", password="wrong", address="192.0.2.7"):
    return Client(REMOTE_ADDR=address).post(
        "/admin/login/", {"username": name, "password": password, "next": "/admin/"}
    )


def fail(times, **attempt):
    return [sign_in(**attempt) for _ in range(times)]


def events(action):
    return list(AuditEvent.objects.filter(action=action).order_by("at"))


def later(**delta):
    """Let time pass for what is counted."""
    past = datetime.timedelta(**delta)
    for row in SignInFailures.objects.all():
        row.last_at -= past
        row.blocked_until = row.blocked_until and row.blocked_until - past
        row.save()


def test_T52_the_right_password_is_not_looked_at_after_too_many_wrong_ones():
    answers = fail(NAME_AND_SENDER.free)
    assert all(WRONG in answer.text for answer in answers)

    refused = sign_in(password=PASSWORD)

    assert refused.status_code == 200
    assert TOO_MANY in refused.text
    assert "Wait 1 min" in refused.text
    later(minutes=1)
    assert sign_in(password=PASSWORD).status_code == 302


def test_T52_each_further_failure_doubles_the_pause_up_to_an_hour():
    fail(NAME_AND_SENDER.free)
    waits = []
    for _ in range(8):
        waits.append(sign_in(password=PASSWORD).context["form"].non_field_errors()[0])
        later(hours=1)
        sign_in()

    minutes = [int(said.split("Wait ")[1].split(" min")[0]) for said in waits]
    assert minutes == [1, 2, 4, 8, 16, 32, 60, 60]


def test_T52_nobody_locks_a_person_out_from_another_address():
    fail(NAME_AND_SENDER.free + 1, address="198.51.100.1")

    assert TOO_MANY in sign_in(password=PASSWORD, address="198.51.100.1").text
    assert sign_in(password=PASSWORD, address="192.0.2.7").status_code == 302


def test_T52_an_address_that_tries_many_names_is_stopped_for_all_of_them():
    for number in range(SENDER.free):
        sign_in(name=f"name-{number}", address="198.51.100.1")

    assert TOO_MANY in sign_in(password=PASSWORD, address="198.51.100.1").text
    assert sign_in(password=PASSWORD, address="198.51.100.2").status_code == 302


def test_T52_the_addresses_of_one_ipv6_customer_count_as_one():
    for number in range(NAME_AND_SENDER.free):
        sign_in(address=f"2001:db8::{number + 1}")

    assert TOO_MANY in sign_in(password=PASSWORD, address="2001:db8::ffff").text
    assert sign_in(password=PASSWORD, address="2001:db8:0:1::1").status_code == 302


@pytest.mark.parametrize("name", ["CHIEF", "Chief"])
def test_T52_another_spelling_of_the_name_gets_no_further_guesses(name):
    fail(NAME_AND_SENDER.free, name=name)

    assert TOO_MANY in sign_in(password=PASSWORD).text


def test_T52_attempts_at_the_same_time_get_no_more_guesses():
    begun = []

    def attempt():
        try:
            begun.append(sign_in_limits.begin(sign_in_limits.Attempt("chief", "192.0.2.7")))
        finally:
            connection.close()

    threads = [threading.Thread(target=attempt) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    looked_at = [one for one in begun if not isinstance(one, datetime.timedelta)]
    assert len(begun) == 12
    assert len(looked_at) == NAME_AND_SENDER.free


def test_T52_a_name_that_no_account_has_gets_the_same_answers():
    known = [answer.context["form"].errors for answer in fail(NAME_AND_SENDER.free + 1)]
    unknown = [
        answer.context["form"].errors
        for answer in fail(NAME_AND_SENDER.free + 1, name="nobody", address="198.51.100.9")
    ]

    assert known == unknown


def test_T52_each_attempt_is_on_the_audit_trail_until_none_is_looked_at():
    fail(NAME_AND_SENDER.free + 3)
    later(hours=1)
    sign_in(password=PASSWORD)

    failed = events("sign-in-failed")
    assert [event.target for event in failed] == ["account:chief"] * NAME_AND_SENDER.free
    assert {(event.actor, event.source_ip) for event in failed} == {("stranger", "192.0.2.7")}
    assert [event.after["failures"] for event in failed] == [1, 2, 3, 4, 5]
    assert [bool(event.after["blocked_until"]) for event in failed] == [False] * 4 + [True]
    (signed_in,) = events("sign-in")
    assert (signed_in.actor, signed_in.target) == ("admin:chief", "account:chief")


def test_T52_a_password_typed_as_the_name_is_kept_nowhere():
    sign_in(name="my secret word", password="chief")

    (event,) = events("sign-in-failed")
    kept = json.dumps([event.target, event.actor, event.after]) + str(
        SignInFailures.objects.values()
    )
    assert event.target == "account:unknown"
    assert "secret" not in kept


def test_a_success_forgets_the_failures_of_that_name_and_keeps_those_of_others():
    fail(NAME_AND_SENDER.free - 1)
    fail(3, name="other")
    assert sign_in(password=PASSWORD).status_code == 302

    assert all(WRONG in answer.text for answer in fail(NAME_AND_SENDER.free - 1))
    own, _ = sign_in_limits.Attempt("chief", "192.0.2.7").limits
    _, (sender, _) = sign_in_limits.Attempt("chief", "192.0.2.7").limits
    assert SignInFailures.objects.get(key=own[0]).count == NAME_AND_SENDER.free - 1
    assert SignInFailures.objects.get(key=sender).count == 2 * (NAME_AND_SENDER.free - 1) + 3


def test_T29_strangers_add_a_bounded_number_of_rows(monkeypatch):
    monkeypatch.setattr(sign_in_limits, "MOST_ROWS", 6)

    for number in range(9):
        sign_in(name=f"name-{number}", address=f"198.51.100.{number}")

    assert SignInFailures.objects.count() == 6


def test_failures_that_count_no_more_are_removed():
    fail(1)
    sign_in_limits.remove_old_failures()
    assert SignInFailures.objects.count() == 2

    later(hours=26)
    sign_in_limits.remove_old_failures()
    assert not SignInFailures.objects.exists()


def test_without_a_database_that_answers_a_person_is_told_so(monkeypatch):
    from pki.exceptions import Busy
    from pki.reasons import Reason

    def unreachable(attempt):
        raise Busy(Reason.DATABASE_UNAVAILABLE)

    monkeypatch.setattr(sign_in_limits, "begin", unreachable)

    assert "The database cannot be reached now" in sign_in(password=PASSWORD).text
