"""The tools in a real browser, by keyboard alone."""

import os
from pathlib import Path

import pytest
from django.urls import reverse

from tests.estserver.console.test_pages import alice
from tests.estserver.console.test_tool_pages import csr_pem
from tests.support.chromium import chromium

__all__ = ["alice", "chromium"]

pytestmark = pytest.mark.django_db(transaction=True)

OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture
def browser(chromium, live_server, alice):
    """A browser in which alice is signed in, and the address of the site."""
    chromium.set_cookie(live_server.url, "sessionid", alice.cookies["sessionid"].value)

    def go(name):
        chromium.open(live_server.url + reverse(f"admin:{name}"))
        return chromium

    return go


def shot(browser, name):
    """A screenshot, for whoever wants to look: EST_SCREENSHOTS."""
    if directory := os.environ.get("EST_SCREENSHOTS"):
        browser.screenshot(Path(directory) / f"{name}.png")


def words(browser, selector="#answer"):
    return browser.run(f"document.querySelector({selector!r}).innerText")


def test_a_certificate_is_pasted_and_inspected(browser, installation):
    page = browser("console_inspect")

    page.tab_to("#id_content")
    page.type((installation / "test-client.pem").read_text())
    page.tab_to("input[type=submit].default")
    page.press("Enter", leads_on=True)

    assert "CN=test-client" in words(page)
    assert "It authenticates a client" in words(page)
    assert page.run(OVERFLOW) <= 0
    shot(page, "tool_inspect")
    page.tab_to("#answer a")
    page.press("Enter", leads_on=True)
    assert "Issued certificate" in page.run("document.title")
    assert page.complaints == []


def test_a_csr_is_asked_about_with_a_client_that_is_named(browser, client_ca):
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
    assert page.run(OVERFLOW) <= 0
    shot(page, "tool_dry_run")
    assert page.complaints == []


def test_a_private_key_is_refused_and_the_field_is_empty_then(browser, installation):
    page = browser("console_inspect")

    page.tab_to("#id_content")
    page.type((installation / "test-client.key").read_text())
    page.tab_to("input[type=submit].default")
    page.press("Enter", leads_on=True)

    assert "That is a private key" in words(page, ".errors")
    assert page.run("document.querySelector('#id_content').value") == ""
    shot(page, "tool_private_key")


def test_the_doctor_examines(browser, installation):
    page = browser("console_doctor")

    page.tab_to("#id_with_others")
    page.press(" ")  # unticks it: nobody else is asked
    page.tab_to("input[type=submit].default")
    page.press("Enter", leads_on=True)

    assert "0 failed" in words(page)
    assert "key of device-ca" not in words(page)
    assert page.run(OVERFLOW) <= 0
    shot(page, "tool_doctor")
    assert page.complaints == []
