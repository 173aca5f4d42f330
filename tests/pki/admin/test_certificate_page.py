"""The list and page of certificates: filters by what is typed, what a page says, the key's file."""

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from pki.admin import bounded_count
from pki.models import AuditEvent, IssuedCertificate
from tests.support.builders import make_csr, make_key

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/pki/issuedcertificate/"
PASSWORD = "correct horse battery"


@pytest.fixture
def alice(installation, client):
    """A browser in which the superuser alice is signed in."""
    client.force_login(User.objects.create_superuser("alice", password=PASSWORD))
    return client


@pytest.fixture
def devices(est_client):
    """Two devices' certificates, of which the second ends in 40 days."""
    for index, name in enumerate(("sensor-1", "sensor-2")):
        est_client.simpleenroll(make_csr(name, key=make_key(index=index)))
    rows = IssuedCertificate.objects.filter(operation="enroll").order_by("common_name")
    rows.filter(common_name="sensor-2").update(not_after=day(40))
    return list(rows)


@pytest.fixture
def test_client(installation):
    """The row of the test client, whose key is on this machine."""
    return IssuedCertificate.objects.get(operation="client")


def day(days):
    midnight = timezone.now().replace(hour=12, minute=0, second=0, microsecond=0)
    return midnight + datetime.timedelta(days=days)


def page(row, operation="change"):
    return reverse(f"admin:pki_issuedcertificate_{operation}", args=[row.pk])


def listed(alice, **query):
    result = alice.get(LIST, query).context["cl"].result_list
    return sorted(row.common_name for row in result)


# Filters


def test_certificates_are_found_by_the_days_on_which_they_end(alice, devices):
    first, last = f"{day(40):%Y-%m-%d}", f"{day(41):%Y-%m-%d}"

    assert listed(alice, ends_from=first, ends_to=first) == ["sensor-2"]
    assert "sensor-2" not in listed(alice, ends_from=last)
    assert listed(alice, ends_to=last) == ["sensor-2"]


def test_certificates_are_found_by_client_and_by_address(alice, devices, test_client, monkeypatch):
    address = devices[0].source_ip
    IssuedCertificate.objects.filter(pk=devices[0].pk).update(source_ip="2001:db8::1")

    assert listed(alice, client=test_client.fingerprint_sha256.upper()) == ["sensor-1", "sensor-2"]
    assert listed(alice, address="2001:DB8:0::1") == ["sensor-1"]
    assert listed(alice, address=address, client=test_client.fingerprint_sha256) == ["sensor-2"]
    monkeypatch.setattr(bounded_count, "MOST_LOOKED_AT", 1)
    assert listed(alice, address="2001:db8::1") == []  # no longer among the newest


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"ends_from": "31.12.2026"}, "&#x27;31.12.2026&#x27; is not a day. Use YYYY-MM-DD."),
        ({"ends_from": "2027-02-02", "ends_to": "2027-01-01"}, "The last day is before the first"),
        ({"client": "factory"}, "The client is not a SHA-256. Use 64 hexadecimal digits."),
        ({"address": "10.0.0.0/8"}, "&#x27;10.0.0.0/8&#x27; is not an IP address."),
    ],
)
def test_a_filter_that_cannot_be_read_says_so_and_lists_nothing(alice, devices, query, sentence):
    shown = alice.get(LIST, query)

    assert sentence in shown.text
    assert listed(alice, **query) == []
    (name, value), *_ = query.items()
    assert f'name="{name}" value="{value}"' in shown.text  # what was typed is kept


def test_a_typed_filter_keeps_the_other_filters_and_can_be_removed(alice, devices):
    shown = alice.get(LIST, {"status": "active", "ends_from": "2026-01-01", "q": "sensor"}).text

    assert '<input type="hidden" name="status" value="active">' in shown
    assert 'href="?status=active&amp;q=sensor">Remove</a>' in shown


@pytest.mark.skipif(connection.vendor != "sqlite", reason="reads SQLite's query plan")
@pytest.mark.parametrize(
    "query", [{"ends_from": "2026-01-01", "ends_to": "2026-02-01"}, {"client": "ab" * 32}]
)
def test_no_typed_filter_walks_the_table(alice, devices, query):
    plan = alice.get(LIST, query).context["cl"].queryset.order_by().explain()

    assert "SCAN pki_issuedcertificate" not in plan, plan


def test_the_filter_is_kept_after_operations(alice, devices):
    query = "?status=active&q=sensor"
    done = alice.post(
        LIST + query,
        {
            "action": "revoke_selected", "_selected_action": [str(devices[0].pk)],
            "confirmed": "yes", "reason": "superseded", "count": "1",
        },
    )  # fmt: skip
    assert done["Location"] == LIST + query
    devices[0].refresh_from_db()
    assert devices[0].state == "revoked"

    filters = "?_changelist_filters=status%3Dactive"
    shown = alice.get(page(devices[1]) + filters)

    assert f'<a href="{LIST}?status=active">' in shown.text
    (link,) = [url for label, url in shown.context["operation_links"] if label == "Revoke"]
    done = alice.post(link, {"reason": "superseded"})
    assert done["Location"] == page(devices[1]) + filters


# What a page says


def test_a_page_decodes_certificate_and_csr(alice, devices):
    shown = alice.get(page(devices[0])).text

    for words in (
        "No findings", "UTF8String", "2.5.4.3 (commonName)", "SEQUENCE", "verifies",
        "ecdsa-with-SHA256", "values</summary>", "(critical)", devices[0].key_sha256,
    ):  # fmt: skip
        assert words in shown, words


def test_a_csr_with_extensions_and_a_password_is_shown_without_the_password(alice, devices):
    csr = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("sensor-1")]), critical=False)
        .add_attribute(x509.oid.AttributeOID.CHALLENGE_PASSWORD, b"open sesame")
        .sign(make_key(), hashes.SHA256())
    )
    der = csr.public_bytes(Encoding.DER)
    IssuedCertificate.objects.filter(pk=devices[0].pk).update(csr_der=der)

    shown = alice.get(page(devices[0])).text

    assert "subjectAltName: sensor-1" in shown
    assert "challengePassword" in shown
    assert "open sesame" not in shown


def test_a_finding_is_shown_with_its_source(alice, devices, client_ca):
    IssuedCertificate.objects.filter(pk=devices[0].pk).update(ca=client_ca)

    shown = alice.get(page(devices[0])).text

    assert "The CA on record did not sign it. (RFC 5280 6.1.3)" in shown


def test_what_cannot_be_read_is_said_and_breaks_no_page(alice, devices):
    IssuedCertificate.objects.filter(pk=devices[0].pk).update(csr_der=b"\x30\x03\x02\x01")

    shown = alice.get(page(devices[0]))

    assert shown.status_code == 200
    assert "The CSR cannot be read" in shown.text
    assert "not DER" in shown.text


def test_a_page_takes_few_statements(alice, devices):
    with CaptureQueriesContext(connection) as queries:
        alice.get(page(devices[0]))

    assert len(queries) <= 24, [query["sql"][:90] for query in queries]


@pytest.mark.parametrize("model", ["issuedcertificate", "denylistentry"])
def test_T59_the_history_of_an_object_asks_for_the_right_to_see_it(devices, model):
    from pki.models import DenylistEntry

    entry = DenylistEntry.objects.create(kind="name", value="lost", reason="x", created_by="y")
    row = devices[0] if model == "issuedcertificate" else entry
    carol = User.objects.create_user("carol", is_staff=True)
    carol.user_permissions.add(
        Permission.objects.get(content_type__app_label="pki", codename="view_auditevent")
    )
    browser = Client()
    browser.force_login(carol)
    url = reverse(f"admin:pki_{model}_history", args=[row.pk])

    assert browser.get(url).status_code == 403
    carol.user_permissions.add(
        Permission.objects.get(content_type__app_label="pki", codename=f"view_{model}")
    )
    assert browser.get(url).status_code == 302


# The key of a test client


def take(alice, row, new="a long password", repeated="a long password"):
    typed = {"new_password": new, "repeated_password": repeated}
    return alice.post(page(row, "key-file"), typed)


def test_T65_a_test_clients_key_is_downloaded_encrypted_and_on_the_trail(alice, test_client):
    answer = take(alice, test_client)

    assert answer["Content-Type"] == "application/x-pkcs12"
    assert "no-store" in answer["Cache-Control"]
    key, certificate, (ca,) = pkcs12.load_key_and_certificates(answer.content, b"a long password")
    assert certificate == test_client.to_x509()
    assert key.public_key() == certificate.public_key()
    certificate.verify_directly_issued_by(ca)
    event = AuditEvent.objects.get(action="download-key")
    assert (event.actor, event.target) == (
        "admin:alice", f"certificate:{test_client.serial_number}",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"new": "short", "repeated": "short"}, "It has 5 characters. Use at least 8 characters."),
        ({"repeated": "another one"}, "The two passwords differ. Type the same one twice."),
    ],
)
def test_T65_nothing_is_downloaded_without_a_good_password_of_the_file(
    alice, test_client, typed, sentence
):
    answer = take(alice, test_client, **typed)

    assert sentence in answer.text
    assert "a long password" not in answer.text
    assert not AuditEvent.objects.filter(action="download-key").exists()


def test_T65_there_is_no_key_of_a_device_nor_of_a_client_whose_key_is_elsewhere(
    alice, devices, test_client, installation
):
    assert "key-file" not in alice.get(page(devices[0])).text
    assert "key-file" in alice.get(page(test_client)).text
    (installation / "test-client.key").unlink()

    assert "key-file" not in alice.get(page(test_client)).text
    answer = take(alice, test_client)
    assert answer["Location"] == page(test_client)
    assert isinstance(test_client.to_x509(), x509.Certificate)
