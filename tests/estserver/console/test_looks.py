"""The console by keyboard in Debian's Chromium, and its pictures for docs/console.md."""

import importlib.util
import os
from dataclasses import replace
from pathlib import Path

import pytest
from django.contrib.auth.models import User

from estserver.models import Acknowledgement
from pki.models import CertificateAuthority, DenylistEntry, IssuedCertificate, Job
from tests.estserver.console import gallery
from tests.estserver.console.crawl import alice
from tests.estserver.console.everywhere import page_names
from tests.support import people_rows, showcase
from tests.support.chromium import chromium
from tests.support.programs import unavailable

__all__ = ["alice", "chromium"]

pytestmark = pytest.mark.django_db(transaction=True)

MOST_BYTES = 70_000
"""Of a picture in the repository."""

HEIGHTS = {
    "overview": 740, "certificates": 460, "audit": 520, "devices": 480, "device": 640,
    "targets": 660,
}  # fmt: skip
"""Pixels of the pictures that would be larger than that: a list goes on as it begins."""


LOW = 560
"""Pixels of a picture of a page that docs/console.md has no words for."""


@pytest.fixture
def furnished(est_client, device_ca, settings):
    properties = replace(settings.CONFIG.properties, api_custom_domain_name="est.example.com")
    settings.CONFIG = replace(settings.CONFIG, properties=properties)
    settings.EST_ADMIN_SECOND_FACTOR = "optional"
    showcase.furnish(est_client, device_ca)


@pytest.fixture
def console(chromium, live_server, alice, furnished):
    """A browser in which alice is signed in."""
    chromium.set_cookie(live_server.url, "sessionid", alice.cookies["sessionid"].value)
    return chromium


def addresses():
    """A name and an address for each page that has a picture."""
    certificate = IssuedCertificate.objects.get(common_name="pump-0001")
    revocation = Job.objects.get(kind="revoke")
    return {
        "overview": "/admin/",
        "devices": "/admin/devices/",
        "device": "/admin/devices/pump-0001/",
        "search": "/admin/search/",
        "certificates": "/admin/pki/issuedcertificate/",
        "certificate": f"/admin/pki/issuedcertificate/{certificate.pk}/change/",
        "revoke": f"/admin/pki/issuedcertificate/{certificate.pk}/revoke/",
        "denylist": "/admin/pki/denylistentry/",
        "check": "/admin/pki/denylistentry/check/",
        "authorities": "/admin/pki/certificateauthority/",
        "roll": f"/admin/cas/{CertificateAuthority.objects.device().get().pk}/roll/",
        "truststore": "/admin/estserver/truststorepush/",
        "targets": "/admin/targets/",
        "waiting": "/admin/iotprov/provisioning/",
        "policy": "/admin/iotprov/policyversion/",
        "profiles": "/admin/pki/certificateprofile/",
        "jobs": "/admin/pki/job/",
        "job": f"/admin/pki/job/{revocation.pk}/change/",
        "audit": "/admin/pki/auditevent/",
        "accounts": "/admin/auth/user/",
        "groups": "/admin/auth/group/",
        "doctor": "/admin/tools/doctor/",
        "dry-run": "/admin/tools/dry-run/",
        "inspect": "/admin/tools/inspect/",
        "test-enroll": "/admin/tools/test-enroll/",
        "settings": "/admin/settings/",
        "acknowledge": "/admin/notices/parked:default/acknowledge/",
        "not-found": "/admin/nothing/",
    }


def every_address(client, device_ca):
    """A name and an address for each page of the console: those with words, and all others."""
    known, person = addresses(), User.objects.get(username="alice")
    people_rows.add(person, ["inventory"], device_ca)
    return known, gallery.other_pages(client, person, known.values())


@pytest.mark.django_db
def test_every_page_of_the_console_has_a_picture(alice, furnished, device_ca):
    known, others = every_address(alice, device_ca)

    named = {gallery.name_of(address) for address in (*known.values(), *others.values())}
    assert page_names() - named <= gallery.SHOWN_ELSEWHERE
    assert not known.keys() & others.keys()


@pytest.mark.skipif("EST_SCREENSHOTS" not in os.environ, reason="make screenshots asks for them")
@pytest.mark.timeout(900)
def test_the_pages_of_docs_console_are_pictured(console, live_server, alice, device_ca):
    directory = Path(os.environ["EST_SCREENSHOTS"])
    directory.mkdir(parents=True, exist_ok=True)
    known, others = every_address(alice, device_ca)
    titles = {}
    for theme in ("light", "dark"):
        for name, address in {**known, **others}.items():
            height = LOW if name in others else HEIGHTS.get(name, 800)
            console.look_like(theme=theme, height=height)
            console.open(live_server.url + address)
            console.screenshot(directory / f"{name}-{theme}.png", is_whole=False)
            titles[name] = console.run("document.title").rpartition(" | ")[0]
    page = directory.parents[1] / "console.md"
    if page.exists():
        gallery.write(page, {name: titles[name] for name in others})
    for theme in ("light", "dark"):
        console.look_like(theme=theme, width=375)
        console.open(f"{live_server.url}/admin/")
        console.screenshot(directory / f"small-{theme}.png", is_whole=False)

    for path in directory.glob("*.png"):
        gallery.shrink(path)
    assert all(path.stat().st_size < MOST_BYTES for path in directory.glob("*.png"))


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
    if not browser.run("'axe' in window"):
        browser.run(f"{axe}; 0")
    return browser.wait_for(
        f"axe.run(document, {options}).then(found => found.violations"
        ".filter(one => ['serious', 'critical'].includes(one.impact))"
        ".map(one => one.id + ': ' + one.nodes.map(node => node.html).slice(0, 2).join(' | ')))"
    )


EVERY_STATE = ("overview", "devices", "device", "certificates", "job", "targets")
"""Pages that show more states here than in test_browser.py, which has axe on every page."""


@pytest.mark.timeout(600)
def test_axe_finds_nothing_serious_where_every_state_is_shown(console, live_server, axe):
    wrong, known = {}, addresses()
    for name in EVERY_STATE:
        address = known[name]
        console.look_like()
        console.open(live_server.url + address)
        found = findings(console, axe, RULES)
        console.look_like(theme="dark")
        found += [f"dark: {one}" for one in findings(console, axe, COLOURS)]
        if found:
            wrong[name] = found

    assert wrong == {}


def test_the_search_box_is_reached_by_one_key_and_finds_a_device(console, live_server):
    console.open(live_server.url + "/admin/settings/")

    console.press("/")
    assert console.run("document.activeElement.id") == "console-search-box"
    console.type("pump-0007")
    console.press("/")  # a slash in the box is a letter
    assert console.run("document.activeElement.value") == "pump-0007/"
    console.run("document.activeElement.value = 'pump-0007'")
    console.press("Enter", leads_on=True)

    assert "pump-0007" in console.run("document.querySelector('main').innerText")


def test_a_notice_is_acknowledged_by_keyboard_alone(console, live_server):
    console.open(live_server.url + "/admin/")
    console.tab_to('a[href="/admin/notices/parked:default/acknowledge/"]')
    console.press("Enter", leads_on=True)
    console.tab_to('input[name="reason"]')
    console.type("ticket 17")
    console.press("Enter", leads_on=True)

    assert "Acknowledged: 1 certificate cannot" in console.run("document.body.innerText")
    assert Acknowledgement.objects.get().reason == "ticket 17"
    console.tab_to("summary")
    console.press("Enter")
    assert "ticket 17" in console.run("document.querySelector('main').innerText")


def test_on_a_small_screen_the_navigation_opens_by_keyboard(console, live_server):
    console.look_like(width=375)
    console.open(live_server.url + "/admin/")
    shown = "getComputedStyle(document.getElementById('console-sections')).display != 'none'"
    assert not console.run(shown)

    console.tab_to("#console-menu")
    console.press("Enter")

    assert console.run(shown)
    assert console.run("document.getElementById('console-menu').ariaExpanded") == "true"
    console.tab_to('a[href="/admin/settings/"]')
    console.press("Enter", leads_on=True)
    assert console.run("document.title").startswith("Settings")


def test_at_400_percent_the_overview_fits_the_window(console, live_server):
    console.look_like(width=320, height=200, scale=4)  # 1280 px, enlarged four times
    console.open(live_server.url + "/admin/")

    assert console.run("document.documentElement.scrollWidth <= innerWidth")


def test_a_number_of_the_overview_leads_to_a_list_that_says_what_it_is_filtered_by(
    console, live_server
):
    console.open(live_server.url + "/admin/")
    console.tab_to("#content .numbers a.figure")
    count = console.run("document.activeElement.innerText")
    console.press("Enter", leads_on=True)

    assert "Only rows with" in console.run("document.body.innerText")
    assert console.run("document.querySelectorAll('#result_list tbody tr').length") == int(count)


def test_what_was_typed_is_kept_when_the_session_ends(console, live_server):
    person = User.objects.get(username="alice")
    person.set_password("correct horse battery")
    console.open(live_server.url + "/admin/pki/denylistentry/add/")
    console.run("document.querySelector('[name=value]').value = 'pump-0500'")
    console.run("document.querySelector('[name=reason]').value = 'stolen today'")
    person.save()  # another password ends every session
    console.submit("input[type=submit].danger, .submit-row input[type=submit]")

    assert "not signed in any more" in console.run("document.body.innerText")
    console.tab_to("#id_username")
    console.type("alice")
    console.press("Tab")
    console.type("correct horse battery")
    console.press("Enter", leads_on=True)
    assert "pump-0500" in console.run("document.body.innerText")
    assert not DenylistEntry.objects.filter(value="pump-0500").exists()
    console.submit("main form input[type=submit]")

    assert DenylistEntry.objects.get(value="pump-0500").reason == "stolen today"
