"""One-time codes and recovery codes: which are taken, and that none is taken twice."""

import json
import threading

import pytest
from django.db import connection

from estserver.models import RecoveryCode, SecondFactor
from estserver.people.second_factor import factors, one_time_codes, policy, recovery_codes
from pki.models import AuditEvent
from pki.operators.errors import OperatorError
from tests.estserver.people.second_factor.browsing import (
    TESTER,
    App,
    clock,
    enroll,
    events,
    make_person,
)

__all__ = ["clock"]

pytestmark = pytest.mark.django_db(transaction=True)


def use(person, code):
    return factors.use_code(person, code, actor=TESTER)


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_codes_are_those_of_rfc_6238(clock, seconds, code):
    """The values of RFC 6238, appendix B, of which six digits are the last six of its eight."""
    clock.now = seconds

    assert one_time_codes.matching_step(b"12345678901234567890", code, after=-1) == seconds // 30


def test_a_code_of_the_step_before_and_after_is_taken_and_no_other(clock):
    app = App(one_time_codes.new_secret(), clock)

    def is_taken(steps):
        return one_time_codes.matching_step(app.secret, app.code(steps), after=-1) is not None

    assert [is_taken(steps) for steps in (-2, -1, 0, 1, 2)] == [False, True, True, True, False]


def test_T86_a_code_is_taken_once_and_none_before_it_any_more(clock):
    person = make_person()
    app, _ = enroll(person, clock)

    assert use(person, app.code()).kind is factors.Kind.ONE_TIME
    assert use(person, app.code()) is None
    assert use(person, app.code(-1)) is None
    assert use(person, app.code(1)) is not None


def test_T86_the_code_that_set_it_up_is_not_taken_again(clock):
    person = make_person()
    app, _ = enroll(person, clock)

    assert use(person, app.code(-1)) is None  # enroll() has moved the clock by a step


def in_threads(count, work):
    """Return what ``work`` returns in so many threads that begin together."""
    found, gate = [], threading.Barrier(count)

    def run():
        try:
            gate.wait()
            found.append(work())
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == count
    return found


@pytest.mark.parametrize("kind", ["one-time", "recovery"])
def test_T86_of_two_requests_with_one_code_at_a_time_one_is_refused(clock, kind):
    person = make_person()
    app, codes = enroll(person, clock)
    code = app.code() if kind == "one-time" else codes[0]

    taken = in_threads(6, lambda: use(person, code))

    assert len([one for one in taken if one is not None]) == 1


def test_T86_the_database_knows_neither_secret_nor_recovery_code(clock):
    person = make_person()
    app, codes = enroll(person, clock)
    use(person, codes[0])
    factors.renew_codes(person, actor=TESTER)

    rows = [*SecondFactor.objects.values(), *RecoveryCode.objects.values()]
    kept = str(rows) + json.dumps(
        [[event.before, event.after, event.target] for event in AuditEvent.objects.all()]
    )

    for secret in (one_time_codes.as_text(app.secret), app.secret.hex(), *codes):
        assert secret not in kept
        assert secret.replace("-", "") not in kept


def test_T86_a_secret_that_was_sealed_with_another_key_opens_nothing(clock, settings):
    person = make_person()
    app, codes = enroll(person, clock)
    earlier = str(settings.SECRET_KEY)
    settings.SECRET_KEY = "another" * 10

    assert use(person, app.code()) is None
    assert use(person, codes[0]) is not None  # digests need no key

    settings.SECRET_KEY_FALLBACKS = [earlier]
    assert use(person, app.code()) is not None


def test_T86_ten_recovery_codes_each_open_once_and_leave_a_row(clock):
    person = make_person()
    _, codes = enroll(person, clock)

    assert len({*codes}) == recovery_codes.COUNT
    assert use(person, codes[0].upper().replace("-", " ")).codes_left == 9
    assert use(person, codes[0]) is None
    assert use(person, codes[1]).codes_left == 8
    used = events("recovery-code-used")
    assert [(event.before, event.after) for event in used] == [
        ({"recovery_codes": 10}, {"recovery_codes": 9}),
        ({"recovery_codes": 9}, {"recovery_codes": 8}),
    ]


def test_a_recovery_code_is_of_one_person(clock):
    person, other = make_person(), make_person("other")
    _, codes = enroll(person, clock)
    enroll(other, clock)

    assert use(other, codes[0]) is None
    assert use(person, codes[0]) is not None


def test_new_recovery_codes_replace_the_earlier_ones(clock):
    person = make_person()
    _, codes = enroll(person, clock)
    use(person, codes[0])

    new = factors.renew_codes(person, actor=TESTER)

    assert use(person, codes[1]) is None
    assert use(person, new[0]) is not None
    (event,) = events("recovery-codes-new")
    assert (event.before, event.after) == ({"recovery_codes": 9}, {"recovery_codes": 10})


@pytest.mark.parametrize(
    "code", ["", "12345", "1234567", "abcdef", "\u0661\u0662\u0663\u0664\u0665\u0666"]
)
def test_what_is_no_code_is_wrong_and_no_error(clock, code):
    person = make_person()
    enroll(person, clock)

    assert use(person, code) is None


def test_nothing_is_set_up_with_a_wrong_code_or_over_another_one(clock):
    person = make_person()
    app = App(one_time_codes.new_secret(), clock)
    with pytest.raises(OperatorError, match="not the one that belongs to this secret"):
        factors.set_up(person, app.secret, app.wrong_code(), actor=TESTER)
    assert factors.factor_of(person) is None

    first, _ = enroll(person, clock)
    with pytest.raises(OperatorError, match="has a second factor already"):
        factors.set_up(person, app.secret, app.code(), actor=TESTER)
    assert use(person, first.code()) is not None


def test_a_reset_needs_a_reason_and_leaves_a_row(clock):
    person = make_person()
    app, codes = enroll(person, clock)
    with pytest.raises(OperatorError, match="needs a reason"):
        factors.reset(person, actor=TESTER, reason=" ")

    factors.reset(person, actor=TESTER, reason="lost phone")

    assert use(person, app.code()) is None
    assert use(person, codes[0]) is None
    (event,) = events("second-factor-reset")
    assert (event.target, event.reason, event.actor) == ("account:chief", "lost phone", "test")
    assert event.before["recovery_codes"] == 10
    with pytest.raises(OperatorError, match="has no second factor"):
        factors.reset(person, actor=TESTER, reason="again")


def test_a_deleted_account_leaves_no_second_factor(clock):
    person = make_person()
    enroll(person, clock)

    person.delete()

    assert not SecondFactor.objects.exists()
    assert not RecoveryCode.objects.exists()


def test_T86_no_code_of_a_step_that_was_used_is_looked_for(clock):
    app = App(one_time_codes.new_secret(), clock)
    step = one_time_codes.matching_step(app.secret, app.code(), after=-1)

    assert one_time_codes.matching_step(app.secret, app.code(), after=step) is None
    assert one_time_codes.matching_step(app.secret, app.code(), after=step - 1) == step


@pytest.mark.parametrize(("rule", "is_required"), [("required", True), ("optional", False)])
def test_a_second_factor_is_required_of_people_who_see_pages(settings, rule, is_required):
    settings.EST_ADMIN_SECOND_FACTOR = rule
    person = make_person()

    assert policy.is_required_of(person) is is_required
    person.is_staff = False
    assert not policy.is_required_of(person)
