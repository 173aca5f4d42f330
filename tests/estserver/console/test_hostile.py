"""Forty hostile texts in every column that clients, AWS or people fill, on every page."""

import csv
import io
import json
import re
import time

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from bench.console import pages
from estserver.console.device_links import device_url
from pki.admin.display import visible
from pki.models import IssuedCertificate
from tests.support import hostile
from tests.support.builders import make_csr
from tests.support.chromium import chromium

__all__ = ["chromium"]

pytestmark = pytest.mark.django_db(transaction=True)

NARROW = 375

VARIANTS = re.compile("^(filter|sort|search) |row of filter")
"""A list that is narrowed or sorted shows the same cells as the whole list."""


@pytest.fixture
def alice(est_client, device_ca):
    """The superuser alice, signed in where everything is hostile."""
    est_client.simpleenroll(make_csr("sensor-1"))
    hostile.fill(device_ca)
    client = Client()
    client.person = User.objects.create_superuser("alice")
    client.force_login(client.person)
    return client


def addresses(person):
    """Each page of the console once, and the page of each hostile certificate and device."""
    found = [one.url for one in pages(admin.site, person) if not VARIANTS.search(one.what)]
    rows = IssuedCertificate.objects.filter(name_owner__in=[t.casefold() for t in hostile.TEXTS])
    for row in rows.only("pk", "common_name"):
        found.append(reverse("admin:pki_issuedcertificate_change", args=[row.pk]))
        found.append(device_url(row.common_name))
    return list(dict.fromkeys(filter(None, found)))


@pytest.mark.timeout(600)
def test_T05_forty_hostile_texts_run_nothing_on_any_page_and_widen_none(
    chromium, live_server, alice
):
    chromium.set_cookie(live_server.url, "sessionid", alice.cookies["sessionid"].value)
    chromium.look_like(width=NARROW)
    wide, gone = [], []
    shown = addresses(alice.person)
    for address in shown:
        t = time.monotonic()
        chromium.open(live_server.url + address)
        print(address, time.monotonic() - t)
        if chromium.run("document.documentElement.scrollWidth") > NARROW:
            wide.append(address)
        if not chromium.run("!!document.querySelector('#console-nav')"):
            gone.append(address)

    assert chromium.complaints == []
    assert wide == []
    assert gone == []
    print(len(shown))
    assert len(shown) > 100
