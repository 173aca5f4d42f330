"""The console by keyboard in Debian's Chromium, and its pictures for docs/console.md."""

import os
from pathlib import Path

import pytest

from pki.models import IssuedCertificate, Job
from tests.estserver.console.test_pages import alice
from tests.support import showcase
from tests.support.chromium import chromium

__all__ = ["alice", "chromium"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def furnished(est_client, device_ca):
    showcase.furnish(est_client, device_ca)


@pytest.fixture
def console(chromium, live_server, alice, furnished):
    """A browser in which alice is signed in."""
    chromium.set_cookie(live_server.url, "sessionid", alice.cookies["sessionid"].value)
    return chromium


def addresses():
    """A name and an address for each page that has a picture."""
    certificate = IssuedCertificate.objects.get(common_name="pump-0001")
    return {
        "overview": "/admin/",
        "certificates": "/admin/pki/issuedcertificate/",
        "certificate": f"/admin/pki/issuedcertificate/{certificate.pk}/change/",
        "revoke": f"/admin/pki/issuedcertificate/{certificate.pk}/revoke/",
        "denylist": "/admin/pki/denylistentry/",
        "authorities": "/admin/pki/certificateauthority/",
        "waiting": "/admin/iotprov/provisioning/",
        "policy": "/admin/iotprov/policyversion/",
        "job": f"/admin/pki/job/{Job.objects.get().pk}/change/",
        "audit": "/admin/pki/auditevent/",
        "accounts": "/admin/auth/user/",
        "settings": "/admin/settings/",
        "acknowledge": "/admin/notices/parked:default/acknowledge/",
        "not-found": "/admin/nothing/",
    }


@pytest.mark.skipif("EST_SCREENSHOTS" not in os.environ, reason="make screenshots asks for them")
def test_the_pages_of_docs_console_are_pictured(console, live_server):
    directory = Path(os.environ["EST_SCREENSHOTS"])
    directory.mkdir(parents=True, exist_ok=True)
    for theme in ("light", "dark"):
        console.look_like(theme=theme)
        for name, address in addresses().items():
            console.open(live_server.url + address)
            console.screenshot(directory / f"{name}-{theme}.png")
    for theme, width in (("light", 375), ("dark", 375)):
        console.look_like(theme=theme, width=width, height=800)
        for name in ("overview", "certificates", "certificate"):
            console.open(live_server.url + addresses()[name])
            console.screenshot(directory / f"{name}-{theme}-{width}.png")
