"""The web admin in a real browser: what the policy forbids shows up here, and only here."""

import importlib.util
import os
import re
from pathlib import Path

import pytest

from tests.estserver.console.test_pages import alice, furnished, html, pages
from tests.support.chromium import chromium
from tests.support.programs import unavailable

__all__ = ["alice", "chromium", "furnished", "pages"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shots():
    """Where screenshots go, for whoever wants to look: EST_SCREENSHOTS."""
    directory = os.environ.get("EST_SCREENSHOTS")
    if directory:
        Path(directory).mkdir(parents=True, exist_ok=True)
    return Path(directory) if directory else None


def one_of_each(addresses):
    """The first address of each shape: other rows' pages are made by the same templates."""
    by_shape = {}
    for address in sorted(addresses):
        by_shape.setdefault(re.sub(r"[0-9a-f-]{36}|=.*", "*", address), address)
    return by_shape.values()


def test_T05_a_browser_has_nothing_to_report_on_any_kind_of_page(
    chromium, live_server, alice, pages, shots
):
    chromium.set_cookie(live_server.url, "sessionid", alice.cookies["sessionid"].value)
    titles = {}
    for address in one_of_each(html(pages)):
        chromium.open(live_server.url + address)
        titles[address] = chromium.run("document.title")
        if shots:
            name = "".join(one if one.isalnum() else "_" for one in address).strip("_")
            chromium.screenshot(shots / f"{name[:120]}.png")

    assert chromium.complaints == []
    assert len(titles) > 50
    assert not [address for address, title in titles.items() if "Log in" in title]


@pytest.fixture(scope="session")
def axe():
    """The accessibility checks of axe-core (https://github.com/dequelabs/axe-core), as a script."""
    package = importlib.util.find_spec("axe_core_python")
    if package is None or package.origin is None:
        unavailable("axe-core-python is not installed. See requirements/dev.in.")
    return Path(package.origin).with_name("axe.min.js").read_text(encoding="utf-8")


RULES = "{resultTypes: ['violations']}"
COLOURS = "{runOnly: ['color-contrast', 'link-in-text-block'], resultTypes: ['violations']}"


def findings(browser, axe, options):
    """What axe finds serious or critical on the open page: its rule and the first element."""
    browser.run(f"{axe}; 0")
    return browser.wait_for(
        f"axe.run(document, {options}).then(found => found.violations"
        ".filter(one => ['serious', 'critical'].includes(one.impact))"
        ".map(one => one.id + ': ' + one.nodes.map(node => node.html).slice(0, 2).join(' | ')))"
    )


TOO_WIDE = """
[...document.querySelectorAll('body *')]
    .filter(one => one.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
    .map(one => one.tagName + '.' + one.className).slice(0, 5).join(' ')
"""
SCROLLS = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
LIST_SCROLLS = """
(() => { const list = document.querySelector('#changelist .results');
return !!list && list.scrollWidth > list.clientWidth + 1 })()
"""


@pytest.mark.timeout(600)
def test_every_kind_of_page_can_be_read_by_everybody(chromium, live_server, alice, pages, axe):
    """One load a page: 375 px, then 1280 px, axe by light, and its colours in the dark."""
    chromium.set_cookie(live_server.url, "sessionid", alice.cookies["sessionid"].value)
    wrong = {}
    kinds = [*one_of_each(html(pages)), "/admin/nothing/", "/admin/login/"]
    for address in kinds:
        found = []
        chromium.look_like(width=375, height=800)
        chromium.open(live_server.url + address)
        if chromium.run(SCROLLS):
            found.append(f"scrolls sideways at 375 px: {chromium.run(TOO_WIDE)}")
        chromium.look_like(width=1280, height=800)
        if chromium.run(SCROLLS):
            found.append(f"scrolls sideways at 1280 px: {chromium.run(TOO_WIDE)}")
        if chromium.run(LIST_SCROLLS):
            found.append("the list scrolls sideways at 1280 px")
        found += findings(chromium, axe, RULES)
        chromium.look_like(width=1280, height=800, theme="dark")
        found += [f"dark: {one}" for one in findings(chromium, axe, COLOURS)]
        if found:
            wrong[address] = found

    assert wrong == {}
    assert chromium.complaints == [] or all("404" in one for one in chromium.complaints)
    assert len(kinds) > 50
