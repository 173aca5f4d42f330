"""What operators, officers, auditors and managers of people do, each by keyboard alone.

Devices are in devices/test_device_browser.py, tools in tools/test_tools_by_keyboard.py, overview
and search in test_looks.py, and sign-in in people/test_second_factor_browser.py.
"""

import datetime
import json

import pytest
from cryptography.hazmat.primitives.serialization import pkcs12
from django.contrib.auth.models import User
from django.utils import timezone

from estserver.models import ApiToken
from pki.models import CertificateAuthority, DenylistEntry, IssuedCertificate, Job
from tests.estserver.console.crawl import alice
from tests.estserver.console.test_browser import REFUSED
from tests.support.builders import make_csr, make_key
from tests.support.chromium import chromium
from tests.support.keyboard import Keyboard

__all__ = ["alice", "chromium"]

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "a password"
"""Alice's, which some pages ask for again."""


@pytest.fixture
def keyboard(chromium, live_server, alice, est_client):
    """A keyboard at a console in which alice is signed in, and three devices are on record."""
    for number in range(3):
        est_client.simpleenroll(make_csr(f"pump-{number}", key=make_key(index=number)))
    chromium.set_cookie(live_server.url, "sessionid", alice.cookies["sessionid"].value)
    yield Keyboard(chromium, live_server)
    assert [one for one in chromium.complaints if not REFUSED.search(one)] == []


def certificate(number):
    return IssuedCertificate.objects.get(common_name=f"pump-{number}")


def test_certificates_are_filtered_downloaded_and_revoked(keyboard):
    soon = timezone.now() + datetime.timedelta(days=20)
    IssuedCertificate.objects.filter(common_name__in=["pump-0", "pump-1"]).update(not_after=soon)
    # Step 1: those that end by a day.
    keyboard.open("pki_issuedcertificate_changelist")
    keyboard.unfold("[data-filter-title*=ends] > summary")
    keyboard.press_in("ends_to", f"{soon:%m%d%Y}")
    keyboard.enter()
    assert "pump-0" in keyboard.words
    assert "pump-2" not in keyboard.words
    # Step 2: one of them, its file, and its end.
    keyboard.follow(f"a[href*='{certificate(0).pk}']")
    pem = keyboard.save_file("a[href$='/download/pem']")
    assert pem.startswith(b"-----BEGIN CERTIFICATE-----")
    keyboard.follow("a[href*='/revoke/']")
    assert "pump-0 loses its last certificate." in keyboard.words
    keyboard.press_in("reason", "superseded")
    keyboard.write("comment", "replaced in the field")
    keyboard.enter()
    assert "is revoked." in keyboard.words
    # Step 3: the filter has been kept.
    keyboard.follow(".breadcrumbs a[href*='issuedcertificate/?']")
    assert "pump-2" not in keyboard.words
    # Step 4: all that the filter leaves, as a job.
    keyboard.follow("a[href*='revoke-matching']")
    keyboard.press_in("reason", "cess")
    keyboard.write("comment", "sold")
    keyboard.write("count", "1")
    keyboard.enter()
    assert "0 of 1 lines" in keyboard.words

    assert certificate(0).state == "revoked"
    assert [line.subject for line in Job.objects.get().lines.all()] == [
        certificate(1).fingerprint_sha256
    ]


def test_the_key_of_a_test_client_is_taken_as_a_file(keyboard):
    client = IssuedCertificate.objects.get(operation=IssuedCertificate.Operation.CLIENT)
    keyboard.open("pki_issuedcertificate_change", client.pk)
    keyboard.follow("a[href*='/key-file/']")
    keyboard.write("new_password", "short")
    keyboard.write("repeated_password", "short")
    keyboard.enter()
    assert "It has 5 characters. Use at least 8 characters." in keyboard.words
    for name in ("new_password", "repeated_password"):
        keyboard.write(name, "a long password")
    file = keyboard.browser.save_file()

    key, certificate, _ = pkcs12.load_key_and_certificates(file, b"a long password")
    assert certificate == client.to_x509()
    assert key.public_key() == certificate.public_key()


def test_some_certificates_are_selected_and_revoked(keyboard):
    keyboard.open("pki_issuedcertificate_changelist", query="?q=pump")
    keyboard.press_in("action", "Revoke")
    for number in (2, 1):
        keyboard.browser.tab_to(f"input[value='{certificate(number).pk}']")
        keyboard.browser.press("Space")
    keyboard.browser.tab_to("button[name=index]")  # above the list, so the Tabs go round
    keyboard.enter()
    assert "2 certificates of 2 names (pump-1, pump-2)" in keyboard.words
    keyboard.press_in("reason", "cess")
    keyboard.write("comment", "sold")
    keyboard.write("count", "2")
    keyboard.enter()

    assert "2 certificates revoked." in keyboard.words
    assert [certificate(number).state for number in range(3)] == ["issued", "revoked", "revoked"]


def test_devices_are_denied_asked_about_and_imported_and_the_job_is_cancelled(keyboard):
    # Step 1: an entry, and once more, which changes nothing and keeps what was typed.
    keyboard.open("pki_denylistentry_changelist")
    for reason in ("stolen", "lost"):
        keyboard.follow("a[href*='/denylistentry/add/']")
        keyboard.write("value", "pump-1")
        keyboard.write("reason", reason)
        keyboard.enter()
        if reason == "stolen":
            assert "pump-1 is on the denylist now." in keyboard.words
            keyboard.open("pki_denylistentry_changelist")
    assert "is on the denylist already" in keyboard.words
    assert keyboard.browser.run("document.querySelector('[name=reason]').value") == "lost"
    # Step 2: would this be refused, and by which entry?
    keyboard.open("pki_denylistentry_check")
    keyboard.write("asked", "PUMP-1")
    keyboard.send()
    assert "Refused" in keyboard.words
    assert "stolen" in keyboard.words
    # Step 3: a file, first dry.
    keyboard.open("pki_denylistentry_import")
    keyboard.write("text", "kind,value,reason,expires\nname,pump-1,,\nname,pump-2,,\n")
    keyboard.write("reason", "returned")
    keyboard.enter()
    assert "Nothing was written." in keyboard.words
    keyboard.send()
    assert "A job imports" in keyboard.words
    # Step 4: it is stopped.
    keyboard.follow("a[href*='/cancel/']")
    keyboard.write("reason", "the wrong file")
    keyboard.enter()
    assert "The job is cancelled" in keyboard.words

    assert [entry.value for entry in DenylistEntry.objects.all()] == ["pump-1"]


def test_a_ca_is_succeeded_and_aws_iot_is_compared(keyboard, alice, device_ca):
    session = alice.session
    session["password_given_at"] -= 301  # more than five minutes ago
    session.save()
    # Step 1: the roll says what is next, and the password is asked for.
    keyboard.open("pki_certificateauthority_change", device_ca.pk)
    keyboard.follow("a[href*='/roll/']")
    assert "Make the successor" in keyboard.words
    keyboard.follow("#next-step")
    keyboard.give_password(PASSWORD)
    keyboard.write("name", device_ca.name)
    keyboard.write("reason", "in time")
    keyboard.enter()
    assert CertificateAuthority.objects.device().count() == 2
    # Step 2: the page is left, and opened again half-way.
    keyboard.open("console_ca_roll", device_ca.pk)
    assert "issues since" in keyboard.words
    # Step 3: a comparison is a job.
    keyboard.open("console_targets")
    keyboard.follow("a[href*='/provisioning/compare/']")
    keyboard.send()
    assert "Compare with AWS IoT" in keyboard.words
    assert Job.objects.get().kind == "drift"


def test_the_trail_is_searched_verified_and_exported(keyboard, est_client):
    est_client.simplereenroll(make_csr("pump-7"))
    keyboard.open("pki_auditevent_changelist")
    keyboard.unfold("[data-filter-title*=reason] > summary")
    keyboard.write("reason", "nothing-to-renew")
    keyboard.enter()
    assert "thing:pump-7" in keyboard.words
    assert "issue" not in keyboard.browser.run("document.querySelector('#result_list').innerText")
    exported = keyboard.save_file("a[href*='/auditevent/export/']")
    keyboard.follow("a[href*='/auditevent/verify/']")
    keyboard.send()

    assert [json.loads(line)["target"] for line in exported.splitlines()] == ["thing:pump-7"]
    assert "The trail holds" in keyboard.words


def test_an_account_is_made_and_a_token_too(keyboard):
    keyboard.open("auth_user_add")
    keyboard.write("username", "bob")
    keyboard.write("password1", "a long enough word 7")
    keyboard.write("password2", "a long enough word 7")
    keyboard.enter()
    assert "was added successfully" in keyboard.words
    keyboard.open("console_api_tokens")
    keyboard.write("name", "pipeline")
    keyboard.press_in("roles", [" "])
    keyboard.send()
    assert "pipeline" in keyboard.words

    assert User.objects.filter(username="bob").exists()
    assert ApiToken.objects.get().name == "pipeline"
