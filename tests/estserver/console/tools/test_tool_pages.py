"""The pages of the tools: what they show, what they refuse, and what they never send back."""

import base64
import datetime
import re

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from estserver.console.registry import console
from estserver.console.tools import doctor_page, enroll_page
from estserver.operations.report_rows import Row
from estserver.tools.doctor import examination
from estserver.tools.enrollment_test import ACTION, TimedRow
from pki.denylist.entries import deny
from pki.models import IssuedCertificate
from pki.record import audit_trail
from pki.record.transactions import in_write_transaction
from tests.conftest import TESTER
from tests.estserver.console.crawl import HOSTILE, alice, contents
from tests.support.builders import make_csr, make_key, make_name

__all__ = ["alice"]

PAGES = ("console_inspect", "console_dry_run", "console_test_enroll", "console_doctor")
PEM, DER = Encoding.PEM, Encoding.DER


def url(name, *args):
    return reverse(f"admin:{name}", args=args)


def csr_pem(*args, **kwargs):
    body = base64.encodebytes(make_csr(*args, **kwargs)).decode()
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{body}-----END CERTIFICATE REQUEST-----\n"


@pytest.fixture
def post(alice):
    """Post a form as a person does who has its page open."""

    def send(name, /, *args, **fields):
        page = alice.get(url(name, *args))
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)[1]
        return alice.post(url(name, *args), {"csrfmiddlewaretoken": token, **fields})

    return send


@pytest.fixture
def client_pem(installation):
    return (installation / "test-client.pem").read_text()


@pytest.mark.parametrize("name", PAGES)
def test_each_tool_is_in_the_navigation_under_tools(name, alice):
    page = alice.get(url(name)).text

    section = page.partition(">Tools</span>")[2].partition("</ul>")[0]
    assert f'href="{url(name)}" aria-current="page"' in section
    assert "manage.py" in page


@pytest.mark.parametrize("name", PAGES)
def test_T90_opening_a_tool_changes_nothing(name, alice):
    before = contents()

    assert alice.get(url(name)).status_code == 200

    assert contents() == before


@pytest.mark.parametrize("name", [*PAGES, "console_test_enroll_clean_up"])
def test_a_tool_is_closed_without_its_permission_and_without_a_token(name, installation):
    args = ["x"] if name.endswith("clean_up") else []
    client = Client(enforce_csrf_checks=True)
    bob = User.objects.create_user("bob", password="a password", is_staff=True)
    client.force_login(bob)
    refused = client.get(url(name, *args))
    page = console.pages[name]
    app, codename = page.permissions[0].split(".")
    bob.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))

    assert refused.status_code == 403
    assert client.get(url(name, *args)).status_code in (200, 302)
    assert client.post(url(name, *args), {}).status_code == 403  # no token


def test_inspect_shows_what_was_pasted(post, client_pem):
    page = post("console_inspect", content=client_pem).text

    assert "A certificate" in page
    assert "CN=test-client" in page
    assert "It authenticates a client of the CA" in page
    row = IssuedCertificate.objects.get(common_name="test-client")
    assert reverse("admin:pki_issuedcertificate_change", args=[row.pk]) in page


def test_inspect_takes_a_file_in_der(post, device_ca):
    der = device_ca.certificate.public_bytes(DER)

    page = post("console_inspect", file=SimpleUploadedFile("ca.der", der)).text

    assert "It is the CA device-ca" in page


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "There is nothing to inspect"),
        ({"content": "hello"}, "neither a certificate"),
        ({"content": "A" * 70_000}, "at most 65536"),
    ],
)
def test_inspect_says_at_the_field_what_is_wrong_and_keeps_what_was_typed(fields, said, post):
    page = post("console_inspect", **fields).text

    assert said in page
    assert "Please correct what is marked below." in page
    assert fields.get("content", "") in page


KEYS = {
    "pem": make_key().private_bytes(PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
    "base64": base64.encodebytes(
        make_key().private_bytes(DER, PrivateFormat.PKCS8, NoEncryption())
    ).decode(),
}


@pytest.mark.parametrize("form", KEYS)
@pytest.mark.parametrize(
    ("name", "field"),
    [("console_inspect", "content"), ("console_dry_run", "csr"), ("console_dry_run", "client")],
)
def test_T91_a_pasted_private_key_is_not_sent_back(name, field, form, post, caplog):
    key = KEYS[form]

    response = post(name, **{field: key})

    assert "private key" in response.text
    assert key.splitlines()[2] not in response.text
    assert key.splitlines()[2] not in caplog.text


def test_dry_run_shows_the_verdicts_and_what_would_be_signed(post, client_pem):
    before = contents()

    page = post("console_dry_run", csr=csr_pem("sensor-1"), client=client_pem, operation="enroll")

    assert "Granted" in page.text
    assert "identity rule" in page.text
    assert "What would be signed" in page.text
    assert contents() == before


def test_dry_run_says_why_and_what_to_do(post, client_pem):
    deny("name", "sensor-1", reason="stolen", actor=TESTER)

    page = post(
        "console_dry_run", csr=csr_pem("sensor-1"), client=client_pem, operation="enroll"
    ).text

    assert "device-denied" in page
    assert "Ask the operator" in page
    assert "Not reached" in page
    assert "What would be signed" not in page


def test_dry_run_for_a_client_that_is_only_named(post, client_ca):
    fields = {"client_name": "line-1", "client_ca": client_ca.name, "operation": "enroll"}

    assert "It is only named" in post("console_dry_run", csr=csr_pem(), **fields).text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"client_name": "x"}, "There is no CSR"),
        ({"csr": csr_pem()}, "Give either the client"),
        ({"csr": csr_pem(), "client_name": "nobody"}, "nobody"),
    ],
)
def test_dry_run_says_at_the_field_what_is_missing(fields, said, post):
    page = post("console_dry_run", operation="enroll", **fields).text

    assert said in page
    assert "Please correct what is marked below." in page


def test_hostile_text_is_shown_harmlessly(post, client_pem):
    for text in HOSTILE:
        subject = make_name("sensor-1", organization=text[:60])
        pem = csr_pem(subject=subject)
        for page in (
            post("console_inspect", content=pem).text,
            post("console_dry_run", csr=pem, client=client_pem, operation="enroll").text,
        ):
            assert text not in page
            assert "<script>alert" not in page


def test_the_doctor_is_asked_by_post_and_shows_what_to_do(post, device_ca, monkeypatch):
    device_ca.not_after = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    device_ca.save()

    page = post("console_doctor").text

    assert re.search(r"1 failed, \d+ with a warning, \d+ OK", page)
    assert "ca_successor device-ca" in page
    assert "docs/operating.md#roll-a-ca" in page


def test_the_overview_shows_what_the_doctor_finds_at_a_glance(
    alice, change_default_profile, django_assert_max_num_queries
):
    examination.forget()
    change_default_profile(new_names_per_hour=None)

    page = alice.get("/admin/").text

    assert url("console_doctor") in page
    assert "one client may take any number of thing names" in page
    examination.forget()
    assert {line.kind for line in doctor_page.panel_lines()} == {"soon"}


def test_a_test_enrollment_shows_each_step_with_its_time(post, monkeypatch):
    """The whole of it, against a real server, is in tests/interop."""
    monkeypatch.setattr(
        enroll_page.EnrollmentTest,
        "steps",
        lambda self: iter([TimedRow(Row("TLS", "FAIL", "No.", "Check it."), 12.34)]),
    )

    page = post("console_test_enroll", name="bench-1").text

    assert "12.3" in page
    assert "Check it." in page
    assert url("console_test_enroll_clean_up", "bench-1") in page


def test_a_test_enrollment_of_a_name_on_record_is_refused_at_the_field(post, est_client):
    est_client.simpleenroll(make_csr("sensor-1"))

    page = post("console_test_enroll", name="sensor-1").text

    assert "The name sensor-1 is on record" in page


def test_a_test_is_taken_back_after_it_was_said_what_is_revoked(post, alice, est_client):
    client = IssuedCertificate.objects.get(common_name="test-client")
    est_client.simpleenroll(make_csr("bench-1"))
    after = {"client": client.fingerprint_sha256}
    in_write_transaction(
        lambda: audit_trail.record(ACTION, actor=TESTER, target="thing:bench-1", after=after)
    )

    shown = alice.get(url("console_test_enroll_clean_up", "bench-1"))
    done = post("console_test_enroll_clean_up", "bench-1")

    assert "bench-1" in shown.text
    assert done.status_code == 302
    assert IssuedCertificate.objects.get(common_name="bench-1").state == "revoked"
    assert "Nothing of this test is left" in alice.get(
        url("console_test_enroll_clean_up", "bench-1")
    ).text  # fmt: skip


def test_a_name_that_no_test_used_cannot_be_taken_back(alice, est_client):
    est_client.simpleenroll(make_csr("sensor-1"))

    response = alice.get(url("console_test_enroll_clean_up", "sensor-1"), follow=True)

    assert "There was no test enrollment" in response.text
