"""What an operator does with devices, in a real browser and by keyboard alone."""

import os
import re
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client

from iotprov.models import Provisioning
from pki.denylist.entries import deny
from pki.models import DenylistEntry, IssuedCertificate
from pki.record.audit_trail import Actor
from tests.support.builders import make_csr, make_key
from tests.support.chromium import chromium

__all__ = ["chromium"]

pytestmark = pytest.mark.django_db(transaction=True)

HOSTILE = "<script>alert(1)</script>\u202egnp.exe\x1b[31m"
NARROW = 375


@pytest.fixture
def fleet(est_client):
    """Devices in several states; one renewed, was denied, refused and is in AWS IoT by record."""
    for index, name in enumerate(("pump-1", "pump-2", "sensor-1")):
        reply = est_client.simpleenroll(
            make_csr(name, key=make_key(index=index), serial_number=f"SN-{index}")
        )
    renewed = est_client.using(reply.certificate).simplereenroll(
        make_csr("sensor-1", key=make_key(index=3), serial_number="SN-2")
    )
    row = IssuedCertificate.objects.get(serial_number=f"{renewed.certificate.serial_number:x}")
    Provisioning.objects.create(
        certificate=row, target="default", state="parked", thing_name="sensor-1", error=HOSTILE
    )
    deny("name", "pump-2", reason="stolen from the lab", actor=Actor("command:tester"))
    est_client.simplereenroll(make_csr("pump-2", key=make_key(index=4), serial_number="SN-1"))
    IssuedCertificate.objects.filter(pk=row.pk).update(san=HOSTILE)
    return row


@pytest.fixture
def browser(chromium, live_server, installation):
    """A browser in which the superuser alice is signed in, at the overview."""
    client = Client()
    client.force_login(User.objects.create_superuser("alice"))
    chromium.set_cookie(live_server.url, "sessionid", client.cookies["sessionid"].value)
    chromium.open(f"{live_server.url}/admin/")
    return chromium


def title(browser):
    return browser.run("document.querySelector('h1').textContent.trim()")


def text(browser):
    return re.sub(r"\s+", " ", browser.run("document.querySelector('main').innerText"))


def test_an_operator_finds_a_refused_device_and_allows_it_again_by_keyboard(browser, fleet):
    # Step 1: the search box, from anywhere, leads to the device.
    browser.press("/")
    browser.type("PUMP-2")
    browser.press("Enter", leads_on=True)
    assert title(browser).startswith("pump-2")
    assert "Denied" in title(browser)
    assert "The denylist names this thing name." in text(browser)
    # Step 2: the operation, with its reason, leads back to the device.
    browser.tab_to("a[href*='/allow/']")
    browser.press("Enter", leads_on=True)
    assert "may enroll again" in text(browser)
    browser.tab_to("[name=reason]")
    browser.type("found again")
    browser.press("Enter", leads_on=True)

    assert title(browser).startswith("pump-2")
    assert "New" in title(browser)
    assert not DenylistEntry.objects.exists()
    assert browser.complaints == []


def test_an_operator_narrows_the_list_of_devices_by_keyboard(browser, fleet):
    browser.tab_to("#console-nav a[href='/admin/devices/']")
    browser.press("Enter", leads_on=True)
    assert "pump-1" in text(browser)
    browser.tab_to(".states a[href*='denied']")
    browser.press("Enter", leads_on=True)
    assert "pump-1" not in text(browser)
    browser.tab_to("main a[href='/admin/devices/pump-2/']")
    browser.press("Enter", leads_on=True)

    assert title(browser).startswith("pump-2")
    assert browser.complaints == []


def test_an_operator_pastes_a_certificate_and_reads_it_by_keyboard(browser, fleet):
    browser.press("/")
    browser.type(fleet.pem)
    browser.press("Enter", leads_on=True)
    assert fleet.serial_number in text(browser)
    assert "q=" not in browser.run("location.href")
    closed = browser.run("!document.querySelector('details pre.asn1').checkVisibility()")
    browser.tab_to("details:has(.asn1) > summary")
    browser.press("Enter")

    assert closed
    assert "SEQUENCE" in browser.run("document.querySelector('details[open] .asn1').innerText")
    assert browser.complaints == []


def test_T05_hostile_text_runs_nothing_and_no_page_is_wider_than_a_phone(
    browser, live_server, fleet
):
    shots = os.environ.get("EST_SCREENSHOTS")
    certificate = f"/admin/pki/issuedcertificate/{fleet.pk}/change/"
    lists = "/admin/pki/issuedcertificate/?ends_from=2020-01-01"
    for name, address in {
        "search": "/admin/search/?q=pump",
        "devices": "/admin/devices/",
        "device": "/admin/devices/sensor-1/",
        "device-refused": "/admin/devices/pump-2/",
        "certificate": certificate,
        "certificates": lists,
    }.items():
        for width, scheme in ((1280, "light"), (1280, "dark"), (NARROW, "light")):
            browser.look_like(width=width, theme=scheme)
            browser.open(live_server.url + address)
            wide = browser.run("document.documentElement.scrollWidth")
            assert wide <= width or name == "certificates", (name, width, wide)
            if shots:
                Path(shots).mkdir(parents=True, exist_ok=True)
                browser.run("document.querySelectorAll('details').forEach(e => { e.open = true })")
                browser.screenshot(Path(shots) / f"{name}-{width}-{scheme}.png")

    assert browser.complaints == []
