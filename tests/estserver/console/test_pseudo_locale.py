"""Texts of the console go through gettext, and fit where they are 40 % longer.

The language of the test exists nowhere: it is made of each English text, with accents and brackets.
What stands in a place where the console shows a text of its own, and has no brackets, does not go
through gettext. ``ENGLISH`` is what does not on purpose. What the brackets are missing of is cut
off.
"""

import re

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.utils import translation

from bench.console import pages
from pki.denylist.entries import deny
from tests.conftest import TESTER
from tests.support.builders import make_csr
from tests.support.chromium import chromium

__all__ = ["chromium"]

pytestmark = pytest.mark.django_db(transaction=True)

WIDE = 1280  # CSS pixels

ACCENTS = str.maketrans("AEIOUNSCYaeiounscy", "ÅÉÎÖÛÑŠÇÝåéîöûñšçý")
"""One letter for another one of the same width."""

PLACEHOLDER = re.compile(r"%\([a-z_]+\)[sd]|%[sd%]|\{[a-z_0-9]*(?::[^}]*)?\}|<[^>]*>|&[a-z]+;")

VARIANTS = re.compile("^(filter|sort|search) |row of filter")

OWN = """
[...document.querySelectorAll(
  '#console-nav a, #console-nav .section, #content .object-tools a, #content thead th a,'
  + '#content form:not(#changelist-form) input[type=submit], #content h1,'
  + '#changelist-filter summary, .effects h2, .skip-to-content-link, #console-search button,'
  + '#user-tools a, #user-tools button, #content .downloads, #content .chip, #content p.empty,'
  + '#content fieldset > h2, #content table thead th, .breadcrumbs a,'
  + '.effects li, #content form .form-row label, #content form .help, #content .paginator'
)].map(one => (one.value || one.textContent).replace(/\\s+/g, ' ').trim())
.map(text => text.replace(/^[0-9]+ /, ''))  // the place of a column in the order of a list
.filter(text => /[A-Za-z]{3}/.test(text))
"""
"""Where each page has texts of the console's own, beside data."""

DATA = re.compile(
    "sensor-[12]|device-ca|client-ca|default|alice|test-client|SHA-256|(rsa|ec)-[0-9a-z]+$"
    "|^(Viewer|Operator|CA officer|Auditor|People manager)$|^[a-z]+[A-Z][A-Za-z]+$"
)
"""What no language changes: names of an installation's things, its groups, words of standards."""

ENGLISH = re.compile(
    "|".join(
        (
            "^Live device certificates that stop authenticating:",  # trust_effects
            "^Nothing is released while they are live:",  # ReleasePlan.effects
            "^(ca|certificate)[.][a-z]+: ",  # what each event of a webhook means
        )
    )
)
"""What a service says, in English on purpose (docs/architecture.md): the command says it too."""

BY_DJANGO = ("/admin/auth/", "/admin/password_change/", "/admin/login/")
"""Pages of Django's, whose texts it translates by itself."""


def pseudo(text):
    """Return a text in a language that nobody speaks, 40 % longer, with its placeholders."""
    if not text.strip():
        return text
    kept = PLACEHOLDER.findall(text)
    parts = [part.translate(ACCENTS) for part in PLACEHOLDER.split(text)]
    words = "".join(part + mark for part, mark in zip(parts, [*kept, ""], strict=True))
    more = " ".join(["~~~"] * (len(text) // 10))
    return f"[{words}{f' {more}' if more else ''}]"


@pytest.fixture
def nowhere(monkeypatch):
    """Have gettext answer in that language, in every thread."""
    trans = translation._trans
    monkeypatch.setattr(trans, "gettext", pseudo, raising=False)
    monkeypatch.setattr(
        trans, "ngettext", lambda one, many, n: pseudo(one if n == 1 else many), raising=False
    )
    monkeypatch.setattr(trans, "pgettext", lambda context, text: pseudo(text), raising=False)
    monkeypatch.setattr(
        trans,
        "npgettext",
        lambda context, one, many, n: pseudo(one if n == 1 else many),
        raising=False,
    )


@pytest.fixture
def alice(est_client):
    """Signed in, with a certificate and a denylist entry on record."""
    est_client.simpleenroll(make_csr("sensor-1"))
    deny("name", "sensor-2", reason="stolen", actor=TESTER)
    client = Client()
    client.person = User.objects.create_superuser("alice")
    client.force_login(client.person)
    return client


@pytest.mark.timeout(600)
def test_texts_of_every_page_go_through_gettext_and_fit_when_they_are_longer(
    chromium, live_server, alice, nowhere
):
    chromium.set_cookie(live_server.url, "sessionid", alice.cookies["sessionid"].value)
    chromium.look_like(width=WIDE)
    addresses = [
        one.url
        for one in pages(admin.site, alice.person)
        if not VARIANTS.search(one.what) and not one.url.endswith(".txt")
    ]
    unmarked, wide = {}, []
    for address in dict.fromkeys([*addresses, "/admin/devices/sensor-1/"]):
        chromium.open(live_server.url + address)
        if chromium.run("document.documentElement.scrollWidth") > WIDE:
            wide.append(address)
        if not address.startswith(BY_DJANGO):
            for text in chromium.run(OWN):
                if "[" not in text and not DATA.search(text) and not ENGLISH.search(text):
                    unmarked.setdefault(text, address)

    assert unmarked == {}, "\n".join(f"{text!r} on {address}" for text, address in unmarked.items())
    assert wide == []
    assert len(addresses) > 80


def test_a_pseudo_text_is_longer_and_keeps_its_placeholders():
    text = "Select all %(total)s rows of {name}"

    assert pseudo(text).startswith("[Šéléçt åll %(total)s röwš öf {name} ~~~")
    assert len(pseudo(text)) > 1.3 * len(text)
