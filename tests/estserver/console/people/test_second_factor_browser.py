"""First sign-in, second factor, lockout and recovery, in a real browser and by keyboard alone."""

import pytest

from estserver.models import SignInFailures
from estserver.people.accounts.first_account import make_first_admin
from estserver.people.sign_in.limits import NAME_AND_SENDER
from tests.estserver.console.test_looks import COLOURS, RULES, axe, findings
from tests.estserver.console.tools.test_tools_by_keyboard import SCROLLS, shot
from tests.estserver.people.second_factor.browsing import TESTER, App, clock
from tests.support.chromium import chromium

__all__ = ["axe", "chromium", "clock"]

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "a long enough word 7"


@pytest.fixture
def browser(chromium, live_server, data_dir, settings, clock):
    """A browser at the admin of a server of one's own, where nobody has signed in yet."""
    settings.EST_ADMIN_SECOND_FACTOR = "required"
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = False
    chromium.look_like()
    chromium.open(f"{live_server.url}/admin/")
    return chromium


def title(browser):
    return browser.run("(document.querySelector('h1') || document.body).textContent.trim()")


def words(browser):
    return browser.run("document.querySelector('main').innerText")


def fill_in(browser, **fields):
    """Type into fields as a person does, and press Enter in the last one."""
    for name, text in fields.items():
        browser.tab_to(f"[name={name}]")
        browser.type(text)
    browser.press("Enter", leads_on=True)


def check_looks(browser, axe, name):
    """Check that everybody can read the page, in the light, in the dark and on a small screen."""
    shot(browser, name)
    wrong = findings(browser, axe, RULES)
    browser.look_like(theme="dark")
    wrong += [f"dark: {one}" for one in findings(browser, axe, COLOURS)]
    shot(browser, f"{name}-dark")
    browser.look_like(width=375)
    assert not browser.run(SCROLLS), name
    shot(browser, f"{name}-375")
    browser.look_like()
    assert wrong == [], name


def test_a_person_signs_in_for_the_first_time_is_locked_out_and_recovers(browser, axe, clock):
    first = make_first_admin("admin", actor=TESTER)
    # Step 1: the first password is changed before anything else.
    check_looks(browser, axe, "sign-in")
    fill_in(browser, username="admin", password=first)
    assert "You did not choose this password." in words(browser)
    check_looks(browser, axe, "first-password")
    fill_in(browser, old_password=first, new_password1=PASSWORD, new_password2=PASSWORD)
    # Step 2: the second factor is set up with the secret that the page shows.
    assert title(browser) == "Set up your second factor"
    assert "Your password is changed." in words(browser)
    assert browser.run("document.querySelector('main svg').getBoundingClientRect().width") > 150
    check_looks(browser, axe, "second-factor-set-up")
    secret = browser.run("document.querySelector('#second-factor-secret').textContent")
    app = App.of_text(secret, clock)
    fill_in(browser, code=app.code())
    # Step 3: the recovery codes are shown once.
    assert title(browser) == "Your recovery codes"
    codes = browser.run("[...document.querySelectorAll('main li code')].map(c => c.textContent)")
    assert len(codes) == 10
    check_looks(browser, axe, "recovery-codes")
    browser.tab_to("#second-factor-go-on")
    browser.press("Enter", leads_on=True)
    assert title(browser) == "Overview"
    browser.submit("#logout-form button")
    # Step 4: wrong codes lock the person out, also with the right one.
    clock.pass_steps()
    for _ in range(NAME_AND_SENDER.free):
        open_sign_in(browser)
        fill_in(browser, username="admin", password=PASSWORD, code=app.wrong_code())
        assert "Please enter the correct username and password" in words(browser)
    open_sign_in(browser)
    fill_in(browser, username="admin", password=PASSWORD, code=app.code())
    assert "Too many attempts to sign in have failed. Wait 1 min" in words(browser)
    # Step 5: after the pause, a recovery code is as good as the app.
    SignInFailures.objects.update(blocked_until=None)
    open_sign_in(browser)
    fill_in(browser, username="admin", password=PASSWORD, code=codes[3])
    assert title(browser) == "Overview"
    browser.tab_to("a[href$='/second-factor/']")
    browser.press("Enter", leads_on=True)
    assert "9 recovery codes" in words(browser)
    check_looks(browser, axe, "second-factor")

    assert browser.complaints == []


def open_sign_in(browser):
    address = browser.run("location.origin")
    browser.open(f"{address}/admin/login/?next=/admin/")
