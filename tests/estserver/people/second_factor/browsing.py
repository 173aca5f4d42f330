"""What the tests of the second factor share: a clock, an authenticator app, and a browser."""

import base64
import html
import re

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django_otp.oath import TOTP

from estserver.people.second_factor import factors, one_time_codes
from pki.models import AuditEvent
from pki.record.audit_trail import Actor

PASSWORD = "a long enough word 7"
TESTER = Actor("test")
START = 1_800_000_000.0


class Clock:
    """The time by which codes are made. A test moves it."""

    def __init__(self):
        self.now = START

    def __call__(self):
        return self.now

    def pass_steps(self, steps=1):
        self.now += steps * one_time_codes.SECONDS


@pytest.fixture
def clock(monkeypatch):
    """Return the clock of codes, which stands until a test moves it."""
    standing = Clock()
    monkeypatch.setattr(one_time_codes, "clock", standing)
    return standing


class App:
    """An authenticator app that knows a secret."""

    def __init__(self, secret, clock):
        self.secret, self.clock = secret, clock

    @classmethod
    def of_text(cls, text, clock):
        """Make it from what a person types in."""
        return cls(base64.b32decode(text + "=" * (-len(text) % 8)), clock)

    def code(self, steps=0):
        """Return the present code, or that of some steps later."""
        totp = TOTP(self.secret)
        totp.time = self.clock() + steps * one_time_codes.SECONDS
        return f"{totp.token():06}"

    def wrong_code(self):
        """Return a code that is right neither now nor next to now."""
        right = {self.code(steps) for steps in (-1, 0, 1)}
        return next(code for code in ("000000", "111111", "222222", "333333") if code not in right)


def make_person(name="chief", *, password=PASSWORD, **fields):
    """Make an account that may sign in."""
    fields = {"is_staff": True, "is_superuser": True, **fields}
    return get_user_model().objects.create_user(name, password=password, **fields)


def enroll(person, clock):
    """Give a person a second factor. Return the app and the recovery codes; the code is used up."""
    app = App(one_time_codes.new_secret(), clock)
    _, codes = factors.set_up(person, app.secret, app.code(), actor=TESTER)
    clock.pass_steps()
    return app, codes


def browser(address="192.0.2.7"):
    """Return a browser at an address, which asks for CSRF tokens."""
    return Client(REMOTE_ADDR=address)


def sign_in(client, name="chief", password=PASSWORD, code=None, following="/admin/"):
    """Send the form of the sign-in."""
    form = {"username": name, "password": password, "next": following}
    return client.post("/admin/login/", form if code is None else {**form, "code": code})


def field(page, name):
    """Return the value of a hidden field."""
    return html.unescape(re.search(rf'name="{name}" value="([^"]*)"', page.text)[1])


def shown_secret(page):
    """Return the secret that a page shows as text."""
    return re.search(r'id="second-factor-secret">([A-Z2-7]+)<', page.text)[1]


def shown_codes(page):
    """Return the recovery codes that a page shows."""
    return re.findall(r"<code>([a-z2-7]{4}(?:-[a-z2-7]{4}){3})</code>", page.text)


def events(action):
    """Return the rows of the audit trail with an action, oldest first."""
    return list(AuditEvent.objects.filter(action=action).order_by("at"))
