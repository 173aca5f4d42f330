"""What comes before every page: a second factor that is set up, or a code of it."""

import re

import pytest
from django.contrib.auth.backends import ModelBackend
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import get_resolver

from estserver.models import SecondFactor
from estserver.people.second_factor import factors
from estserver.people.sign_in.first_steps import page_after
from tests.estserver.people.second_factor.browsing import (
    PASSWORD,
    TESTER,
    App,
    browser,
    clock,
    enroll,
    events,
    field,
    make_person,
    shown_codes,
    shown_secret,
    sign_in,
)

__all__ = ["clock"]

pytestmark = pytest.mark.django_db(transaction=True)

SET_UP = "/admin/second-factor/set-up/"
CODE = "/admin/second-factor/code/"
OWN = "/admin/second-factor/"


@pytest.fixture(autouse=True)
def _required(settings):
    settings.EST_ADMIN_SECOND_FACTOR = "required"


@pytest.fixture
def chief():
    return make_person()


def set_up(client, clock, **changes):
    """Fill in the page as a person does. Return the app and the answer."""
    page = client.get(SET_UP)
    app = App.of_text(shown_secret(page), clock)
    form = {"enrollment_token": field(page, "enrollment_token"), "code": app.code(), **changes}
    return app, client.post(SET_UP, form)


def test_a_person_without_one_sets_it_up_at_the_first_sign_in(chief, clock):
    client = browser()
    sign_in(client)
    before = client.get("/admin/pki/issuedcertificate/?q=1")
    assert before["Location"] == f"{SET_UP}?next=/admin/pki/issuedcertificate/%3Fq%3D1"

    page = client.get(before["Location"])
    app = App.of_text(shown_secret(page), clock)
    form = {"enrollment_token": field(page, "enrollment_token"), "code": app.code()}
    done = client.post(before["Location"], form)

    codes = shown_codes(done)
    assert len(codes) == 10
    assert 'href="/admin/pki/issuedcertificate/?q=1"' in done.text
    assert client.get("/admin/").status_code == 200
    (event,) = events("second-factor-add")
    assert (event.actor, event.target) == ("admin:chief", "account:chief")
    assert (event.source_ip, event.after) == ("192.0.2.7", {"recovery_codes": 10})
    clock.pass_steps()
    assert sign_in(browser(), code=app.code()).status_code == 302
    assert sign_in(browser(), code=codes[9]).status_code == 302


def test_the_recovery_codes_are_a_file_and_are_shown_once(chief, clock):
    client = browser()
    sign_in(client)
    _, done = set_up(client, clock)
    codes = shown_codes(done)

    saved = client.post(
        "/admin/second-factor/recovery-codes.txt", {"codes_token": field(done, "codes_token")}
    )

    assert saved["Content-Disposition"] == 'attachment; filename="recovery-codes.txt"'
    assert saved.text.splitlines()[1:] == codes
    assert client.get("/admin/second-factor/recovery-codes.txt").status_code == 405
    assert not shown_codes(client.get(OWN))
    forged = client.post("/admin/second-factor/recovery-codes.txt", {"codes_token": "abc"})
    assert (forged.status_code, forged["Location"]) == (302, OWN)


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("has_one", [False, True], ids=["to set up", "to be given"])
def test_T86_no_page_and_no_post_is_open_before_that(chief, clock, method, has_one):
    """Each view of the site, asked without the step. The walk is over Django's own resolver."""
    if has_one:
        enroll(chief, clock)
    client = browser()
    client.force_login(chief)
    first = CODE if has_one else SET_UP
    free = {"/admin/login/", "/admin/logout/", first} | (
        set() if has_one else {"/admin/second-factor/recovery-codes.txt"}
    )
    seen = 0
    for address in every_address():
        if address in free:
            continue
        answer = getattr(client, method)(address)
        seen += 1
        assert answer.status_code == 302, (address, answer.status_code)
        assert answer["Location"].startswith(f"{first}?next="), (address, answer["Location"])
    assert seen > 100


def every_address():
    """Yield an address for each pattern below ``/admin/``, with a value for each of its parts."""
    yield from _leaves(get_resolver().url_patterns, "")


def _leaves(patterns, prefix):
    for one in patterns:
        route = getattr(one.pattern, "_route", None)
        if route is None:  # the page for what is not there
            continue
        path = prefix + _filled(route)
        if hasattr(one, "url_patterns"):
            yield from _leaves(one.url_patterns, path)
        elif getattr(one.callback, "login_required", True):
            yield f"/{path}"


def _filled(route):
    values = {"int": "1", "uuid": "00000000-0000-7000-8000-000000000000"}
    return re.sub(r"<(?:(\w+):)?\w+>", lambda found: values.get(found[1], "x"), route)


def test_the_health_pages_and_the_sign_in_stay_open(chief):
    client = browser()
    sign_in(client)

    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 503  # no CA is set up, and no redirect
    assert client.post("/admin/logout/").status_code in {200, 302}
    assert client.get("/admin/")["Location"].startswith("/admin/login/")


def test_a_page_that_is_not_there_shows_no_navigation_before_that(chief, clock):
    client = browser()
    sign_in(client)
    assert 'id="console-search"' not in client.get("/nothing/").text

    set_up(client, clock)

    assert 'id="console-search"' in client.get("/nothing/").text


def test_a_wrong_code_keeps_the_secret_and_records_nothing(chief, clock):
    client = browser()
    sign_in(client)
    page = client.get(SET_UP)
    app = App.of_text(shown_secret(page), clock)
    form = {"enrollment_token": field(page, "enrollment_token"), "code": app.wrong_code()}

    refused = client.post(SET_UP, form)

    assert "The code is not the one that belongs to this secret now." in refused.text
    assert shown_secret(refused) == shown_secret(page)
    assert not SecondFactor.objects.exists()
    assert client.get("/admin/")["Location"].startswith(SET_UP)


def test_T86_a_secret_of_another_account_or_of_no_page_is_refused(chief, clock):
    other = browser()
    make_person("other")
    sign_in(other, "other")
    page = other.get(SET_UP)
    app = App.of_text(shown_secret(page), clock)
    client = browser()
    sign_in(client)

    stolen = {"enrollment_token": field(page, "enrollment_token"), "code": app.code()}
    assert "made for another account" in client.post(SET_UP, stolen).text
    forged = {**stolen, "enrollment_token": stolen["enrollment_token"][:-2] + "xx"}
    assert "was changed. Start again." in client.post(SET_UP, forged).text
    assert not SecondFactor.objects.exists()


def test_an_open_session_is_asked_once_its_person_has_one(chief, clock, settings):
    settings.EST_ADMIN_SECOND_FACTOR = "optional"
    earlier = browser()
    sign_in(earlier)
    assert earlier.get("/admin/").status_code == 200
    app, _ = enroll(chief, clock)

    led = earlier.get("/admin/pki/job/")
    assert led["Location"] == f"{CODE}?next=/admin/pki/job/"
    assert earlier.post(led["Location"], {"code": app.wrong_code()}).status_code == 200
    given = earlier.post(led["Location"], {"code": app.code()})

    assert given["Location"] == "/admin/pki/job/"
    assert earlier.get("/admin/pki/job/").status_code == 200
    (event,) = events("second-factor-failed")
    assert (event.actor, event.after) == ("admin:chief", {"failures": 1})


def test_T86_codes_are_guessed_as_seldom_in_a_session_as_at_the_sign_in(chief, clock):
    app, _ = enroll(chief, clock)
    client = browser()
    client.force_login(chief)
    for _ in range(5):
        assert "The code is wrong" in client.post(CODE, {"code": app.wrong_code()}).text

    assert "Too many attempts" in client.post(CODE, {"code": app.code()}).text
    assert "Too many attempts" in sign_in(browser(), code=app.code()).text


def test_T86_a_reset_ends_the_sessions_that_gave_the_factor(chief, clock):
    app, _ = enroll(chief, clock)
    client = browser()
    sign_in(client, code=app.code())
    assert client.get("/admin/").status_code == 200

    factors.reset(chief, actor=TESTER, reason="stolen phone")

    assert client.get("/admin/pki/job/")["Location"] == "/admin/login/?next=/admin/pki/job/"
    assert client.get(SET_UP)["Location"].startswith("/admin/login/")
    sign_in(client)
    assert client.get("/admin/")["Location"].startswith(SET_UP)


def test_one_makes_new_recovery_codes_and_removes_ones_own_with_a_code(chief, clock):
    app, codes = enroll(chief, clock)
    client = browser()
    sign_in(client, code=app.code())
    clock.pass_steps()

    refused = client.post(OWN, {"code": app.wrong_code(), "codes": "x"})
    assert "The code is wrong" in refused.text
    new = shown_codes(client.post(OWN, {"code": app.code(), "codes": "x"}))
    assert len(new) == 10
    assert not {*new} & {*codes}
    removed = client.post(OWN, {"code": new[0], "remove": "x"})

    assert removed["Location"] == OWN
    assert client.get(OWN)["Location"].startswith(SET_UP)  # it is required
    (event,) = events("second-factor-remove")
    assert (event.actor, event.before["recovery_codes"]) == ("admin:chief", 9)


def test_T86_who_sets_one_up_later_gives_the_password_again(chief, clock, settings):
    settings.EST_ADMIN_SECOND_FACTOR = "optional"
    client = browser()
    sign_in(client)
    assert 'href="/admin/second-factor/set-up/"' in client.get(OWN).text

    _, missing = set_up(client, clock)
    _, wrong = set_up(client, clock, password="wrong")
    _, done = set_up(client, clock, password=PASSWORD)

    assert "This field is required." in missing.text
    assert "The password is wrong." in wrong.text
    assert len(shown_codes(done)) == 10
    assert len(events("password-check-failed")) == 1


def test_T86_a_code_that_is_sent_after_the_sessions_end_is_not_kept_in_the_page(chief, clock):
    _, codes = enroll(chief, clock)

    ended = browser().post(OWN, {"code": codes[0], "remove": "x"})

    assert "Your session has ended" in ended.text
    assert codes[0] not in ended.text


class ProviderBackend(ModelBackend):
    """Signs people in by a party that asks for a second factor of its own."""

    gives_second_factor = True


def test_who_gave_a_second_factor_elsewhere_is_asked_for_none_and_nobody_else(chief, settings):
    paths = {one: f"{one.__module__}.{one.__qualname__}" for one in (ModelBackend, ProviderBackend)}
    settings.AUTHENTICATION_BACKENDS = [*paths.values()]
    by_password, by_provider = browser(), browser()
    by_password.force_login(chief, backend=paths[ModelBackend])
    by_provider.force_login(chief, backend=paths[ProviderBackend])

    assert by_password.get("/admin/").status_code == 302
    assert by_provider.get("/admin/").status_code == 200


def test_the_pages_lead_on_where_there_is_nothing_to_do(chief, clock, settings):
    app, _ = enroll(chief, clock)
    client = browser()
    sign_in(client, code=app.code())

    assert client.get(SET_UP)["Location"] == OWN
    assert client.get(f"{CODE}?next=/admin/pki/job/")["Location"] == "/admin/pki/job/"
    assert client.get(f"{CODE}?next=https://evil.example/")["Location"] == "/admin/"
    assert client.get(f"{CODE}?next=//evil.example/admin/")["Location"] == "/admin/"
    settings.EST_ADMIN_SECOND_FACTOR = "none"
    assert "asks nobody for a second factor" in client.get(OWN).text


def test_the_picture_and_the_secret_say_the_same_and_need_no_exception_of_the_policy(chief, clock):
    client = browser()
    sign_in(client)

    page = client.get(SET_UP)

    assert "<svg" in page.text
    assert " style=" not in page.text
    assert "data:" not in page.text
    assert "unsafe" not in page["Content-Security-Policy"]
    assert "no-store" in page["Cache-Control"]


def test_opening_the_page_writes_nothing(chief):
    client = browser()
    sign_in(client)

    with CaptureQueriesContext(connection) as asked:
        client.get(SET_UP)

    written = [one["sql"] for one in asked if not one["sql"].startswith("SELECT")]
    assert written == []


@pytest.mark.parametrize(
    ("asked", "page"),
    [
        ("/admin/jobs/?state=failed", "/admin/jobs/?state=failed"),
        ("/api/v1/token", "/admin/"),
        ("https://other.example/admin/", "/admin/"),
        ("//other.example/admin/", "/admin/"),
        ("", "/admin/"),
    ],
)
def test_what_comes_after_a_first_step_is_a_page_of_the_console(rf, asked, page):
    assert page_after(rf.get("/admin/", {"next": asked})) == page
