"""The tools in a real browser, by keyboard alone."""

import os
from pathlib import Path

import pytest
from django.urls import reverse

from tests.estserver.console.crawl import alice
from tests.estserver.console.test_looks import COLOURS, RULES, axe, findings
from tests.estserver.console.tools.test_tool_pages import csr_pem
from tests.support.chromium import chromium

__all__ = ["alice", "axe", "chromium"]

pytestmark = pytest.mark.django_db(transaction=True)

SCROLLS = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


@pytest.fixture
def browser(chromium, live_server, alice):
    """A browser in which alice is signed in, and the address of the site."""
    chromium.set_cookie(live_server.url, "sessionid", alice.cookies["sessionid"].value)

    def go(name):
        chromium.look_like()
        chromium.open(live_server.url + reverse(f"admin:{name}"))
        return chromium

    return go


def shot(browser, name):
    """A screenshot, for whoever wants to look: EST_SCREENSHOTS."""
    if directory := os.environ.get("EST_SCREENSHOTS"):
        browser.screenshot(Path(directory) / f"{name}.png")


def check_answer(browser, axe, name):
    """Check that an answer can be read by everybody. It comes by POST, so no crawler has it."""
    shot(browser, name)
    wrong = findings(browser, axe, RULES)
    browser.look_like(theme="dark")
    wrong += [f"dark: {one}" for one in findings(browser, axe, COLOURS)]
    shot(browser, f"{name}-dark")
    browser.look_like(width=375)
    assert not browser.run(SCROLLS)
    shot(browser, f"{name}-375")
    browser.look_like()
    assert not browser.run(SCROLLS)
    assert wrong == []
    assert browser.complaints == []


def words(browser, selector="#answer"):
    return browser.run(f"document.querySelector({selector!r}).innerText")


def test_a_certificate_is_pasted_and_inspected(browser, axe, installation):
    page = browser("console_inspect")

    page.tab_to("#id_content")
    page.type((installation / "test-client.pem").read_text())
    page.tab_to("input[type=submit].default")
    page.press("Enter", leads_on=True)

    assert "CN=test-client" in words(page)
    assert "It authenticates a client" in words(page)
    check_answer(page, axe, "tool_inspect")
    page.tab_to("#answer a")
    page.press("Enter", leads_on=True)
    assert "Issued certificate" in page.run("document.title")
    assert page.complaints == []


def test_a_csr_is_asked_about_with_a_client_that_is_named(browser, axe, client_ca):
    page = browser("console_dry_run")

    page.tab_to("#id_csr")
    page.type(csr_pem("sensor-1"))
    page.tab_to("#id_client_name")
    page.type("line-1")
    page.tab_to("#id_client_ca")
    page.press("a")  # the first choice that begins with it
    page.tab_to("input[type=submit].default")
    page.press("Enter", leads_on=True)

    assert "What would be signed" in words(page)
    assert "CN=sensor-1" in words(page)
    check_answer(page, axe, "tool_dry_run")


def test_a_private_key_is_refused_and_the_field_is_empty_then(browser, axe, installation):
    page = browser("console_inspect")

    page.tab_to("#id_content")
    page.type((installation / "test-client.key").read_text())
    page.tab_to("input[type=submit].default")
    page.press("Enter", leads_on=True)

    assert "That is a private key" in words(page, ".errors")
    assert page.run("document.querySelector('#id_content').value") == ""
    check_answer(page, axe, "tool_private_key")


def test_the_doctor_examines(browser, axe, installation):
    page = browser("console_doctor")

    page.tab_to("#id_with_others")
    page.press("Space")  # unticks it: nobody else is asked
    page.tab_to("input[type=submit].default")
    page.press("Enter", leads_on=True)

    assert "0 failed" in words(page)
    assert "key of device-ca" not in words(page)
    check_answer(page, axe, "tool_doctor")
