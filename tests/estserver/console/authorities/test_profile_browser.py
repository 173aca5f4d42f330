"""A profile's settings in a real browser: the preview follows what is typed, by keyboard."""

import pytest
from django.urls import reverse

from pki.models import CertificateProfile
from tests.estserver.console.crawl import alice
from tests.estserver.console.test_looks import COLOURS, RULES, axe, findings
from tests.support.builders import make_csr
from tests.support.chromium import chromium

__all__ = ["alice", "axe", "chromium"]

pytestmark = pytest.mark.django_db(transaction=True)

PREVIEW = "document.getElementById('preview-answer').innerText"


def until(browser, condition):
    """Wait until the page fulfils a JavaScript condition, 20 seconds at most."""
    found = browser.wait_for(
        "new Promise(done => { const end = Date.now() + 20000;"
        f"const look = () => ({condition}) ? done(true) : Date.now() > end ? done(false)"
        ": setTimeout(look, 50); look() })"
    )
    assert found, browser.run(PREVIEW)


def test_the_preview_follows_what_is_typed_and_says_at_the_field_what_is_wrong(
    chromium, live_server, alice, axe, est_client
):
    est_client.simpleenroll(make_csr("pump-1"))
    row = CertificateProfile.objects.get(active_label="")
    chromium.set_cookie(live_server.url, "sessionid", alice.cookies["sessionid"].value)
    chromium.look_like()
    chromium.open(
        live_server.url + reverse("admin:pki_certificateprofile_new-version", args=[row.pk])
    )
    until(chromium, f"{PREVIEW}.includes('(364 days left)')")

    chromium.tab_to("#id_label")
    chromium.type("line-1")
    until(chromium, f"{PREVIEW}.includes('up to 1 device of this profile')")
    assert chromium.run(PREVIEW).count("/.well-known/est/line-1") == 2
    chromium.tab_to("#id_validity_days")
    chromium.run("document.activeElement.select()")
    chromium.type("5")
    until(chromium, f"{PREVIEW}.includes('Not usable')")
    at_field = "document.querySelector('.field-overlap_days .errorlist').innerText"
    assert "The overlap of 7 days is longer" in chromium.run(at_field)
    invalid = "document.getElementById('id_overlap_days').getAttribute('aria-invalid')"
    assert chromium.run(invalid) == "true"
    chromium.type("5")
    until(chromium, f"{PREVIEW}.includes('(54 days left)')")
    assert chromium.run("document.querySelector('.field-overlap_days .errorlist')") is None
    assert chromium.run("document.getElementById('preview-said').textContent").endswith("Granted")

    wrong = findings(chromium, axe, RULES)
    chromium.look_like(theme="dark")
    wrong += [f"dark: {one}" for one in findings(chromium, axe, COLOURS)]
    scrolls = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    for width in (375, 1280, 1600):
        chromium.look_like(width=width)
        assert not chromium.run(scrolls), width
    assert (wrong, chromium.complaints) == ([], [])
    assert CertificateProfile.objects.count() == 1
