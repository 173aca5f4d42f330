"""The web admin from outside: every page that a person can reach, as a crawler finds it."""

import csv
import hashlib
import io
import json
import re
from dataclasses import replace
from urllib.parse import urljoin, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs7
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from estserver.models import PendingHook, TruststorePush
from estserver.urls.est import urlpatterns as est_urls
from iotprov.documents.versions import add_version
from iotprov.models import CARegistration, DocumentPush, DocumentVersion, Provisioning
from pki.admin.display import visible
from pki.admin.downloads import csv_cell
from pki.authorities.succeed import make_successor
from pki.denylist.entries import deny
from pki.models import CertificateAuthority, DenylistEntry, IssuedCertificate, Job, JobLine
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.revocation.crl import make_crl
from tests.estserver.console.everywhere import kind_of, not_opened
from tests.iotprov.samples import POLICY
from tests.support import people_rows
from tests.support.builders import make_csr, make_key
from tests.support.est_client import BASE

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "\u202egnp.exe",
    "\x1b[31m\x07",
]
OPERATOR = Actor("command:root")
NOT_BY_LINKS = {
    "login",
    "console_second_factor_code",
    "console_second_factor_reset",
    "console_test_enroll_clean_up",
    "estserver_truststorepush_roll-back",
}
"""Pages that no link of a superuser's own leads to here."""
IOT_MODELS = {"templateversion", "policyversion", "caregistration", "provisioning"}


@pytest.fixture
def alice(installation):
    """A browser in which the superuser alice is signed in; CSRF tokens are asked for."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("alice", password="a password"))
    return client


@pytest.fixture
def furnished(est_client, device_ca, settings):
    """One row of every kind, with hostile text wherever a client can put some.

    API Gateway has a domain, and a second factor may be set up, so that their pages are there.
    """
    properties = replace(settings.CONFIG.properties, api_custom_domain_name="est.example.com")
    settings.CONFIG = replace(settings.CONFIG, properties=properties)
    settings.EST_ADMIN_SECOND_FACTOR = "optional"
    for index, name in enumerate(("sensor-1", "sensor-2")):
        csr = make_csr(name, key=make_key(index=index))
        est_client.simpleenroll(csr, query="?tenant-id=%3Cscript%3Ealert(2)%3C/script%3E")
    est_client.simplereenroll(make_csr("sensor-9"))
    rows = IssuedCertificate.objects.filter(common_name="sensor-1")
    rows.update(
        subject=HOSTILE[0], san=HOSTILE[1], client_subject=HOSTILE[2], device_serial=HOSTILE[3]
    )
    for number, value in enumerate(HOSTILE):
        deny("name", f"hostile-{number}", reason=value, actor=OPERATOR)
        DenylistEntry.objects.create(kind="name", value=value, reason=value, created_by=value)
        audit_trail.record("refuse-enroll", actor=OPERATOR, target=f"thing:{value}", reason=value)
    PendingHook.objects.create(certificate=rows.get(), last_error=HOSTILE[0])
    make_successor(device_ca, actor=OPERATOR, reason=HOSTILE[1])
    make_crl(device_ca)
    _furnish_aws_iot(rows.get(), device_ca)
    _furnish_work()
    people_rows.add(_somebody(), HOSTILE[:1], device_ca)
    return rows.get()


def _furnish_work():
    """Jobs that may be cancelled or continued, and a truststore that may come back."""
    for state, failed in (("running", 0), ("failed", 1)):
        job = Job.objects.create(
            kind="revoke", parameters={}, state=state, actor=HOSTILE[0], error=HOSTILE[1], total=2,
            failed=failed,
        )  # fmt: skip
        JobLine.objects.create(
            job=job, number=1, subject=HOSTILE[0], state="failed", result=HOSTILE[1]
        )
    for number, text in enumerate(HOSTILE):
        TruststorePush.objects.create(
            domain="est.example.com", uri=text, version_id=f"{number}{text}", sha256="0" * 64,
            certificate_count=1, reason=text, pushed_by=text, activated_at=timezone.now(),
        )  # fmt: skip


def _somebody():
    """The person whose browser opens the pages, if there is one."""
    return User.objects.filter(username="alice").first() or User.objects.create_user("dave")


def _furnish_aws_iot(certificate, device_ca):
    """Rows as AWS, or whoever writes a template, may have filled them."""
    hostile = "\n".join(HOSTILE)
    for number in (1, 2):
        DocumentVersion.objects.create(
            kind="template", name="est_iot_provisioning_template", number=number,
            body=f'{{"Parameters": {number}}}\n{hostile}', reason=HOSTILE[0],
            created_by=HOSTILE[1],
        )  # fmt: skip
    for topic in ("first", "second"):
        version = add_version(
            "policy", POLICY.replace("messages/", f"{topic}/"), actor=OPERATOR, reason=HOSTILE[0]
        )
    DocumentPush.objects.create(
        kind="policy", name=version.name, target="default", version=version, error=HOSTILE[1],
        body_sha256="0" * 64,
        aws_version=HOSTILE[0][:20],
    )  # fmt: skip
    CARegistration.objects.create(
        ca=device_ca, target="default", state="failed", error=HOSTILE[0], note=HOSTILE[2]
    )
    for target, state in (("default", "pending"), ("elsewhere", "parked")):
        Provisioning.objects.create(
            certificate=certificate, target=target, state=state, error=HOSTILE[0],
            note=HOSTILE[1], thing_name=HOSTILE[2],
        )  # fmt: skip


@pytest.fixture
def pages(alice, furnished):
    """Every address below /admin/ that a crawler reaches, with its answer."""
    return crawled(alice)


@pytest.fixture
def kinds(alice, furnished):
    """One address of each kind that a crawler reaches, with its answer."""
    found = crawled(alice, told_apart_by=kind_of)
    assert not_opened(html(found)) <= NOT_BY_LINKS
    return found


def crawled(browser, *, told_apart_by=str):
    """Each address that links lead to, with its answer; of those that are not told apart, one."""
    seen, known, waiting = {}, set(), ["/admin/"]
    while waiting:
        address = waiting.pop()
        if told_apart_by(address) in known:
            continue
        known.add(told_apart_by(address))
        response = browser.get(address)
        seen[address] = response
        if "text/html" in response.get("Content-Type", ""):
            for link in re.findall(r'(?:href|action)="([^"]*)"', response.text):
                target = urlsplit(urljoin(address, link.replace("&amp;", "&")))
                query = f"?{target.query}" if _is_new_page(target) else ""
                if target.path.startswith("/admin/") and target.path != "/admin/logout/":
                    waiting.append(target.path + query)
        elif response.status_code == 302:
            waiting.append(response["Location"])
    return seen


def _is_new_page(target):
    """A search, a filter or a prefilled form is a page of its own; their combinations aren't."""
    name, _, rest = target.query.partition("=")
    return name in {"q", "status", "kind", "serial", "waiting"} and (
        "&" not in rest or rest.startswith("name&value=")
    )


def contents():
    """A digest of each table, but for sessions (signing in writes one)."""
    digests = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            if table != "django_session":
                cursor.execute(f'SELECT * FROM "{table}"')
                rows = sorted(map(repr, cursor.fetchall()))
                digests[table] = hashlib.sha256("\n".join(rows).encode()).hexdigest()
    return digests


def html(pages):
    return {
        address: page
        for address, page in pages.items()
        if "text/html" in page.get("Content-Type", "")
    }


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
