"""The web admin in a real browser: what the policy forbids shows up here, and only here."""

import os
import re
from pathlib import Path

import pytest

from tests.estserver.console.crawl import alice, furnished, html, kinds
from tests.estserver.console.everywhere import shape_of
from tests.estserver.console.test_looks import COLOURS, RULES, axe, findings
from tests.support.chromium import chromium

__all__ = ["alice", "axe", "chromium", "furnished", "kinds"]

pytestmark = pytest.mark.django_db(transaction=True)


NOT_LINKED = ("/admin/nothing/", "/admin/search/?q=sensor", "/admin/devices/?q=nothing")
"""Pages that no link leads to: an error, and answers to what a person types."""


REFUSED = re.compile(r"status of (403|404|405) \(")
"""What a browser says of a page that was refused, which is a page of the console too."""


@pytest.fixture
def shots():
    """Where screenshots go, for whoever wants to look: EST_SCREENSHOTS."""
    directory = os.environ.get("EST_SCREENSHOTS")
    if directory:
        Path(directory).mkdir(parents=True, exist_ok=True)
    return Path(directory) if directory else None


def scrolls(browser, width):
    """Whether the open page scrolls sideways in a window of this width, or its list at 1280 px."""
    browser.look_like(width=width)
    return browser.run(
        "(() => { const page = document.documentElement;"
        "const list = innerWidth < 1280 ? null : document.querySelector('#changelist .results');"
        "return page.scrollWidth > page.clientWidth ||"
        "(!!list && list.scrollWidth > list.clientWidth + 1) })()"
    )


@pytest.mark.timeout(900)
def test_T05_a_browser_and_axe_have_nothing_to_report_on_any_kind_of_page(
    chromium, live_server, alice, kinds, shots, axe
):
    chromium.set_cookie(live_server.url, "sessionid", alice.cookies["sessionid"].value)
    titles, wide, unfit = {}, [], {}
    one_of_each = {shape_of(address): address for address in html(kinds)}
    for address in (*one_of_each.values(), *NOT_LINKED):
        chromium.look_like(width=375)
        chromium.open(live_server.url + address)
        titles[address] = chromium.run("document.title")
        wide += [f"{address} at {width} px" for width in (375, 1280) if scrolls(chromium, width)]
        found = findings(chromium, axe, RULES)
        chromium.look_like(theme="dark")
        found += [f"dark: {one}" for one in findings(chromium, axe, COLOURS)]
        if found:
            unfit[address] = found
        if shots:
            name = "".join(one if one.isalnum() else "_" for one in address).strip("_")
            chromium.screenshot(shots / f"{name[:120]}.png")

    assert [one for one in chromium.complaints if not REFUSED.search(one)] == []
    assert wide == []
    assert unfit == {}
    assert len(titles) > 90
    assert not [address for address, title in titles.items() if "Log in" in title]
