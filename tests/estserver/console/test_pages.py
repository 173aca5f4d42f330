"""The web admin from outside: every page that a person can reach, as a crawler finds it."""

import csv
import io
import json
import re

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs7
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from estserver.urls.est import urlpatterns as est_urls
from pki.admin.display import visible
from pki.admin.downloads import csv_cell
from pki.models import CertificateAuthority, IssuedCertificate
from pki.record import audit_trail
from tests.estserver.console.crawl import (
    HOSTILE,
    NOT_BY_LINKS,
    alice,
    contents,
    furnished,
    html,
    kinds,
    pages,
)
from tests.estserver.console.everywhere import not_opened
from tests.support.est_client import BASE

__all__ = ["alice", "furnished", "kinds", "pages"]

IOT_MODELS = {"templateversion", "policyversion", "caregistration", "provisioning"}


def test_T05_no_page_holds_inline_code_or_a_clients_text_raw(pages):
    _check_that_every_kind_is_there(pages)
    for address, page in html(pages).items():
        _check_policy(address, page)
        # What stands in a field to be edited or searched for has to stay what it is.
        text = re.sub(r"<input [^>]*>|<textarea.*?</textarea>", "", page.text, flags=re.DOTALL)
        for raw in ("<script>alert", "<img src=x", "\u202e", "\x1b", "\x07"):
            assert raw not in text, (address, raw)


def _check_that_every_kind_is_there(pages):
    strange = {address for address, page in pages.items() if page.status_code not in (200, 302)}
    assert not [address for address in strange if not address.endswith("/end/")]  # forms, not pages
    assert not_opened(html(pages)) <= NOT_BY_LINKS
    assert any("&lt;script&gt;" in page.text for page in html(pages).values())
    paths = " ".join(pages)
    for part in (
        "issuedcertificate", "auditevent", "denylistentry", "certificateprofile", "pendinghook",
        "/revoke/", "/successor/", "/new-version/", "/allow/", "/terms/", "/make-crl/", "/run/",
        "/settle/", "/export/", "/download/pem", "/download/crl", "password_change", "auth/user",
        "templateversion", "policyversion", "caregistration", "provisioning", "/add/", "/push/",
        "/compare/", "/preview/", "/take-file/", "/roll-back/", "/register/", "/register-again/",
        "/retry/", "/park/", "/work/",
    ):  # fmt: skip
        assert part in paths, part


def _check_policy(address, page):
    policy = page["Content-Security-Policy"]
    assert "default-src 'none'" in policy, address
    assert "unsafe" not in policy
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=\"|href=\"javascript:", page.text), address
    assert not re.search(r"<script(?![^>]*\ssrc=)[^>]*>", page.text), address


def test_T07_no_get_writes_anything(alice, kinds):
    before = contents()
    for address in kinds:
        b"".join(alice.get(address))

    assert contents() == before


def test_T07_no_post_without_token_does_anything(alice, kinds):
    before = contents()
    answers = {
        address: alice.post(address, {"reason": "superseded", "name": "device-ca-2"}).status_code
        for address in kinds
    }

    assert {*answers.values()} == {403}
    assert contents() == before


def test_T03_the_device_side_knows_no_page_of_the_admin(kinds, est_client):
    addresses = [*kinds, "/", "/admin", "/admin/login/", "/static/estserver/admin.css"]

    answers = {address: est_client.request("GET", address).status_code for address in addresses}

    assert {*answers.values()} == {404}


def test_T03_the_admin_knows_no_operation_of_the_device_side(alice):
    operations = [pattern.name for pattern in est_urls if "est/" in str(pattern.pattern)]
    assert "simpleenroll" in operations
    for operation in operations:
        for address in (f"{BASE}/{operation}", f"{BASE}/label/{operation}"):
            assert alice.get(address).status_code == 404, address
    assert alice.get("/crl/device-ca.crl").status_code == 404


def test_a_stranger_gets_the_login_page_and_signs_in(kinds):
    User.objects.create_superuser("bob", password="correct horse battery")
    stranger = Client()
    for address in kinds:
        if not address.startswith(("/admin/login/", "/admin/jsi18n/")):
            answer = stranger.get(address)
            assert answer.status_code == 302, address
            assert answer["Location"].startswith("/admin/login/"), address

    login = stranger.post(
        "/admin/login/?next=/admin/",
        {"username": "bob", "password": "correct horse battery", "next": "/admin/"},
    )

    assert login["Location"] == "/admin/"
    assert stranger.get("/admin/").status_code == 200


def test_T04_login_stays_on_this_host(installation):
    User.objects.create_superuser("bob", password="correct horse battery")
    client = Client()
    login = client.post(
        "/admin/login/?next=https://evil.example/",
        {"username": "bob", "password": "correct horse battery", "next": "https://evil.example/"},
    )

    assert login["Location"] == "/admin/"
    assert client.get("/admin/", headers={"host": "evil.example"}).status_code == 400


def download(alice, row, name):
    url = reverse(f"admin:pki_{row._meta.model_name}_download", args=[row.pk, name])
    return alice.get(url)


def test_a_certificate_is_downloaded_in_every_form(alice, furnished):
    row = IssuedCertificate.objects.get(common_name="sensor-2")
    certificate, ca = row.to_x509(), row.ca.certificate

    pem, der, chain, bundle, csr = (
        download(alice, row, name) for name in ("pem", "der", "chain", "pkcs7", "csr")
    )

    assert x509.load_pem_x509_certificate(pem.content) == certificate
    assert x509.load_der_x509_certificate(der.content) == certificate
    assert x509.load_pem_x509_certificates(chain.content) == [certificate, ca]
    assert {*pkcs7.load_der_pkcs7_certificates(bundle.content)} == {certificate, ca}
    assert x509.load_der_x509_csr(csr.content).is_signature_valid
    assert der["Content-Type"] == "application/pkix-cert"
    assert der["Content-Disposition"] == (
        f'attachment; filename="sensor-2_{row.serial_number}.cer"'
    )
    assert download(alice, row, "key").status_code == 404


def test_a_ca_is_downloaded_in_every_form(alice, furnished):
    ca = CertificateAuthority.objects.get(name="device-ca")

    assert x509.load_pem_x509_certificate(download(alice, ca, "pem").content) == ca.certificate
    assert x509.load_der_x509_certificate(download(alice, ca, "der").content) == ca.certificate
    crl = x509.load_der_x509_crl(download(alice, ca, "crl").content)
    assert crl.is_signature_valid(ca.certificate.public_key())


def test_an_intent_has_no_certificate_to_download(alice, furnished):
    IssuedCertificate.objects.filter(pk=furnished.pk).update(der=None, state="intent")

    assert download(alice, furnished, "pem").status_code == 404
    url = reverse("admin:pki_issuedcertificate_change", args=[furnished.pk])
    assert alice.get(url).status_code == 200


def test_T06_no_exported_cell_is_a_formula(alice, furnished):
    for index, sign in enumerate(("=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)", "\t=1", "\r=1")):
        assert csv_cell(sign).startswith("'"), index
    IssuedCertificate.objects.filter(pk=furnished.pk).update(subject="=cmd|' /C calc'!A0")

    export = alice.get(reverse("admin:pki_issuedcertificate_export"))
    header, *rows = csv.reader(io.StringIO(export.getvalue().decode(), newline=""))

    assert len(rows) == IssuedCertificate.objects.count()
    assert "'=cmd|' /C calc'!A0" in [row[header.index("subject")] for row in rows]
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]


def test_the_trail_is_exported_as_the_list_shows_it(alice, furnished):
    url = reverse("admin:pki_auditevent_export")

    whole = [json.loads(line) for line in alice.get(url).getvalue().splitlines()]
    denials = [
        json.loads(line) for line in alice.get(url, {"kind": "denylist"}).getvalue().splitlines()
    ]

    assert len(whole) == audit_trail.verify()[0]
    assert {event["action"] for event in denials} == {"deny"}
    assert len(denials) == len(HOSTILE)
    assert HOSTILE[2] in [event["reason"] for event in denials]
    heads = {event["hash"] for event in whole} | {audit_trail.GENESIS}
    assert {event["previous_hash"] for event in whole} <= heads


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("certificateauthority", "manage.py bootstrap_cas"),
        ("certificateprofile", "manage.py bootstrap_cas"),
        ("issuedcertificate", "manage.py quickstart"),
        ("denylistentry", "manage.py deny"),
        ("templateversion", "manage.py sync_template"),
        ("policyversion", "manage.py sync_policy"),
        ("caregistration", "manage.py register_ca"),
        ("provisioning", "manage.py provision_pending"),
    ],
)
def test_an_empty_list_says_what_to_do(admin_client, model, words):
    url = reverse(f"admin:{'iotprov' if model in IOT_MODELS else 'pki'}_{model}_changelist")

    assert words in admin_client.get(url).text
    assert words not in admin_client.get(url, {"q": "nothing"}).text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("sensor-1", "sensor-1"),
        ("Näh & Söhne 東京", "Näh & Söhne 東京"),
        ("a\u202eb", "a\\u202eb"),
        ("a\x00\nb", "a\\x00\\nb"),
        ("a\u200bb\ufeff", "a\\u200bb\\ufeff"),
    ],
)
def test_T05_what_cant_be_seen_is_shown_as_its_escape(text, shown):
    assert visible(text) == shown
