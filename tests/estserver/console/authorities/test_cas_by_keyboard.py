"""Creating a CA in a real browser, by keyboard alone, up to the picture of what it is for."""

import pytest
from django.urls import reverse

from estserver.local_server.server_certificate import ensure_server_certificate
from pki.models import CertificateAuthority
from tests.estserver.console.crawl import alice
from tests.estserver.console.test_looks import COLOURS, RULES, axe, findings
from tests.estserver.console.tools.test_tools_by_keyboard import SCROLLS, shot
from tests.support.chromium import chromium

__all__ = ["alice", "axe", "chromium"]

pytestmark = pytest.mark.django_db(transaction=True)


def check(page, axe, name):
    """Check that everybody can read the page, in light and dark, and on a small screen."""
    wrong = findings(page, axe, RULES)
    page.look_like(theme="dark")
    wrong += [f"dark: {one}" for one in findings(page, axe, COLOURS)]
    shot(page, f"{name}-dark")
    page.look_like(width=375)
    assert not page.run(SCROLLS)
    shot(page, f"{name}-375")
    page.look_like()
    shot(page, name)
    assert not page.run(SCROLLS)
    assert wrong == []
    assert page.complaints == []


def test_a_ca_is_created_by_keyboard_and_is_in_the_picture(
    chromium, live_server, alice, axe, settings
):
    page = chromium
    page.set_cookie(live_server.url, "sessionid", alice.cookies["sessionid"].value)
    page.look_like()
    page.open(live_server.url + reverse("admin:pki_certificateauthority_changelist"))
    page.tab_to("a[href$='/create/']")
    page.press("Enter", leads_on=True)

    # A wrong name first: the error stands at its field, and what was typed is kept.
    for field, text in (("name", "no name"), ("common_name", "Factory 2"), ("reason", "growth")):
        page.tab_to(f"#id_{field}")
        page.type(text)
    page.press("Enter", leads_on=True)
    assert "cannot be the name of a CA" in page.run(
        "document.querySelector('.field-name .errorlist').innerText"
    )
    assert page.run("document.querySelector('#id_common_name').value") == "Factory 2"
    check(page, axe, "ca_create")

    page.tab_to("#id_name")
    page.press("Control+a")
    page.type("factory-2")
    page.tab_to("input[type=submit].default")
    page.press("Enter", leads_on=True)

    ca = CertificateAuthority.objects.get(name="factory-2")
    assert "No profile issues from factory-2." in page.run("document.body.innerText")
    check(page, axe, "ca_created")
    page.open(live_server.url + reverse("admin:pki_certificateauthority_import"))
    check(page, axe, "ca_import")
    ensure_server_certificate(settings.EST_DATA_DIR)
    page.open(live_server.url + reverse("admin:console_worlds"))
    check(page, axe, "worlds")
    page.tab_to(f".world a[href*='{ca.pk}']")
    page.press("Enter", leads_on=True)
    assert page.run("location.pathname").endswith(f"{ca.pk}/change/")
