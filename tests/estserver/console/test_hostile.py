"""Forty hostile texts in every column that clients, AWS or people fill, on every page and file."""

import csv
import io
import json
import re
from dataclasses import replace
from urllib.parse import quote

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.urls import reverse

from bench.console import pages
from estserver.console.devices.links import device_url
from estserver.console.overview.report import present_notices
from estserver.models import OfficerRequest
from iotprov.models import DocumentVersion
from pki.models import CertificateAuthority, IssuedCertificate, Job
from tests.estserver.console.everywhere import not_opened
from tests.support import hostile, people_rows
from tests.support.builders import make_csr
from tests.support.chromium import chromium

__all__ = ["chromium"]

pytestmark = pytest.mark.django_db(transaction=True)

NARROW = 375  # CSS pixels: a phone

VARIANTS = re.compile("^(filter|sort|search) |row of filter")
"""A list that is narrowed or sorted shows the same cells as the whole list."""


@pytest.fixture
def alice(est_client, device_ca, settings):
    """The superuser alice, signed in where everything is hostile, and API Gateway has a domain."""
    properties = replace(settings.CONFIG.properties, api_custom_domain_name="est.example.com")
    settings.CONFIG = replace(settings.CONFIG, properties=properties)
    settings.EST_ADMIN_SECOND_FACTOR = "optional"
    est_client.simpleenroll(make_csr("sensor-1"))
    hostile.fill(device_ca)
    client = Client()
    client.person = User.objects.create_superuser("alice")
    client.force_login(client.person)
    people_rows.add(client.person, hostile.stored(), device_ca)
    return client


def addresses(person):
    """Each page of the console once, and of each hostile text its certificate or its device."""
    found = [
        one.url
        for one in pages(admin.site, person)
        if not VARIANTS.search(one.what)
        and one.what not in _answers_without_page(person)
        and not one.url.endswith(".txt")
    ]
    found += _with_a_part_in_the_address()
    rows = IssuedCertificate.objects.filter(client_subject__in=hostile.stored())
    for number, row in enumerate(rows.only("pk", "common_name")):
        if number % 2 and (url := device_url(row.common_name)):
            found.append(url)
        else:
            found.append(reverse("admin:pki_issuedcertificate_change", args=[row.pk]))
    return list(dict.fromkeys(found))


def _with_a_part_in_the_address():
    """Pages of the console whose address names a row, of which its list has no page."""
    ca = CertificateAuthority.objects.device().get()
    asked = OfficerRequest.objects.latest("pk")
    failed = Job.objects.latest("pk")
    yield reverse("admin:console_ca_roll", args=[ca.pk])
    yield reverse("admin:console_request", args=[asked.pk])
    yield reverse("admin:console_acknowledge", args=[present_notices()[0].key])
    yield reverse("admin:console_second_factor_reset", args=[asked.asked_by])
    yield reverse("admin:console_test_enroll_clean_up", args=["sensor-1"])
    yield reverse("admin:pki_job_change", args=[failed.pk])
    yield reverse("admin:iotprov_templateversion_change", args=[_version("template")])
    yield from (f"{reverse('admin:console_search')}?q={quote(text)}" for text in hostile.TEXTS[:5])


def _version(kind):
    return DocumentVersion.objects.filter(kind=kind).latest("pk").pk


def _answers_without_page(person):
    """The names of pages for rows that only services add, and of a file that no job has here."""
    request = RequestFactory().get("/")
    request.user = person
    yield "file of row"
    for model, model_admin in admin.site._registry.items():
        if not model_admin.has_add_permission(request):
            yield f"{model._meta.app_label}_{model._meta.model_name}_add"


@pytest.mark.timeout(600)
def test_T05_forty_hostile_texts_run_nothing_on_any_page_and_widen_none(
    chromium, live_server, alice
):
    chromium.set_cookie(live_server.url, "sessionid", alice.cookies["sessionid"].value)
    chromium.look_like(width=NARROW)
    opened, wide, without_navigation = addresses(alice.person), [], []
    for address in opened:
        before = len(chromium.complaints)
        chromium.open(live_server.url + address)
        chromium.complaints[before:] = [f"{address}: {one}" for one in chromium.complaints[before:]]
        width, is_page = chromium.run(
            "[document.documentElement.scrollWidth, !!document.querySelector('#console-nav')]"
        )
        if width > NARROW:
            wide.append((address, width))
        if not is_page and "/login/" not in address:
            without_navigation.append(address)

    assert chromium.complaints == []  # dialogs, reports of the policy, errors
    assert wide == []
    assert without_navigation == []
    assert not_opened(opened) == set()
    assert len(opened) > 150


def _as_typed(cell):
    """A cell without the sign that keeps a spreadsheet from calculating."""
    return cell if cell in hostile.TEXTS else cell.removeprefix("'")


def exports():
    """The name of each URL of the console that answers with a list as a file."""
    return [
        f"admin:{model._meta.app_label}_{model._meta.model_name}_export"
        for model, model_admin in admin.site._registry.items()
        if getattr(model_admin, "export", None) is not None
    ]


def test_T06_no_export_of_hostile_texts_has_a_formula_and_none_loses_a_text(alice):
    seen = set()
    for name in exports():
        answer = alice.get(reverse(name))
        text = answer.getvalue().decode()
        if answer["Content-Type"].startswith("text/csv"):
            cells = [one for row in csv.reader(io.StringIO(text, newline="")) for one in row]
            assert not [one for one in cells if one.startswith(("=", "+", "-", "@", "\t", "\r"))]
            assert set(hostile.stored()) <= set(map(_as_typed, cells))
            seen.add("csv")
        else:
            events = [json.loads(line) for line in text.splitlines()]
            assert set(hostile.stored()) <= {one["target"].removeprefix("thing:") for one in events}
            seen.add("json")

    assert seen == {"csv", "json"}


def test_T06_no_line_of_a_job_is_exported_as_a_formula(alice):
    job = hostile.job()

    answer = alice.get(reverse("admin:pki_job_download", args=[job.pk, "results"]))

    _, *rows = csv.reader(io.StringIO(answer.content.decode(), newline=""))
    assert not [row for row in rows for one in row if one.startswith(("=", "+", "-", "@", "\t"))]
    assert [_as_typed(row[1]) for row in rows] == hostile.stored()


def test_the_texts_are_forty_and_of_every_kind():
    assert len(set(hostile.TEXTS)) == len(hostile.stored()) == 40
    assert max(len(text.encode()) for text in hostile.TEXTS) == 64
