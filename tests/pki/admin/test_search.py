"""Whatever an operator has in hand finds the row, by an index, however many rows there are."""

import datetime
import uuid

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from pki.admin.certificate_states import status_of
from pki.models import AuditEvent, IssuedCertificate
from tests.support.builders import make_csr

LIST = "admin:pki_issuedcertificate_changelist"


@pytest.fixture
def alice(installation, client):
    """A browser in which the superuser alice is signed in."""
    client.force_login(User.objects.create_superuser("alice"))
    return client


@pytest.fixture
def certificate(est_client):
    """A device's certificate beside the test client's."""
    assert est_client.simpleenroll(make_csr("Sensor-1", serial_number="SN:42")).status_code == 200
    return IssuedCertificate.objects.get(common_name="Sensor-1")


def found(client, term, url=LIST):
    return [row.pk for row in client.get(reverse(url), {"q": term}).context["cl"].result_list]


def colons(text):
    text = text.zfill(len(text) + len(text) % 2)
    return ":".join(text[i : i + 2] for i in range(0, len(text), 2))


FORMS = {
    "serial in hex": lambda row: row.serial_number,
    "serial in upper case with colons": lambda row: colons(row.serial_number).upper(),
    "serial with 0x": lambda row: f"0x{row.serial_number}",
    "serial with leading zeros": lambda row: f"00{row.serial_number}",
    "serial in decimal": lambda row: str(int(row.serial_number, 16)),
    "serial said to be decimal": lambda row: f"dec:{int(row.serial_number, 16)}",
    "serial as openssl prints it": lambda row: f" serial={row.serial_number.upper()}\n",
    "fingerprint": lambda row: row.fingerprint_sha256,
    "fingerprint with colons": lambda row: colons(row.fingerprint_sha256).upper(),
    "fingerprint as openssl prints it": lambda row: (
        f"sha256 Fingerprint={colons(row.fingerprint_sha256).upper()}"
    ),
    "key": lambda row: row.key_sha256,
    "name": lambda row: row.common_name,
    "name in another case": lambda row: row.common_name.upper(),
    "beginning of a name": lambda row: "sens",
    "device serial": lambda row: "SN:42",
    "device serial in another case": lambda row: "sn:42",
    "request id": lambda row: row.request_id,
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_a_term_finds_the_certificate_and_no_other(alice, certificate, form):
    assert found(alice, FORMS[form](certificate)) == [certificate.pk]


def test_a_client_certificate_leads_to_what_it_enrolled_and_to_itself(alice, certificate):
    both = IssuedCertificate.objects.values_list("pk", flat=True)

    assert {*found(alice, certificate.client_fingerprint)} == {*both}


@pytest.mark.parametrize("term", ["ensor", "%", "'", "0", "zz:yy", "x" * 5000, "9" * 60])
def test_a_term_that_is_nothing_finds_nothing(alice, certificate, term):
    assert found(alice, term) == []


@pytest.mark.parametrize("typed", ["dec0ffee", "DE:C0:FF:EE", "0xdec0ffee"])
def test_a_serial_number_that_begins_with_dec_is_found(alice, certificate, typed):
    IssuedCertificate.objects.filter(pk=certificate.pk).update(serial_number="dec0ffee")

    assert found(alice, typed) == [certificate.pk]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="reads SQLite's query plan")
@pytest.mark.parametrize("form", FORMS)
def test_no_search_walks_the_table(alice, certificate, form):
    response = alice.get(reverse(LIST), {"q": FORMS[form](certificate)})

    plan = response.context["cl"].queryset.explain()

    assert "SCAN pki_issuedcertificate" not in plan, plan


def test_a_refused_request_is_found_by_the_id_that_the_device_was_told(alice, est_client):
    refused = est_client.simplereenroll(make_csr("sensor-9"))
    request_id = refused.text.rpartition("(request ")[2].rstrip(")\n")

    response = alice.get(reverse("admin:pki_auditevent_changelist"), {"q": request_id})

    (event,) = response.context["cl"].result_list
    assert event.action == "refuse-reenroll"
    assert refused.reason in event.reason
    assert request_id in response.text


@pytest.mark.parametrize(
    "form",
    ["serial in decimal", "fingerprint", "name", "name in another case", "request id"],
)
def test_the_trail_of_a_certificate_is_found_by_what_finds_the_certificate(
    alice, certificate, form
):
    events = found(alice, FORMS[form](certificate), "admin:pki_auditevent_changelist")

    actions = AuditEvent.objects.filter(pk__in=events).values_list("action", flat=True)
    assert {*actions} == {"intent", "issue"}


def test_the_trail_of_an_operator_is_found_by_name(alice, installation):
    alice.post(
        reverse("admin:pki_denylistentry_add"),
        {"kind": "name", "value": "sensor-1", "reason": "stolen"},
    )

    (event,) = found(alice, "alice", "admin:pki_auditevent_changelist")

    assert AuditEvent.objects.get(pk=event).action == "deny"


@pytest.fixture
def make_more(certificate):
    """Add copies of the certificate's row, each with names of its own."""

    def make(count):
        for _ in range(count):
            row = IssuedCertificate.objects.get(pk=certificate.pk)
            row.pk = uuid.uuid4()
            row.serial_number = uuid.uuid4().hex
            row.fingerprint_sha256 = uuid.uuid4().hex * 2
            row.name_owner = row.key_owner = row.current_name = row.request_key = None
            row.save(force_insert=True)

    return make


@pytest.mark.parametrize("model", ["issuedcertificate", "auditevent", "certificateprofile"])
def test_a_list_takes_as_many_statements_for_forty_rows_as_for_one(
    alice, make_more, change_default_profile, model
):
    url = reverse(f"admin:pki_{model}_changelist")
    alice.get(url)
    with CaptureQueriesContext(
        connection,
    ) as few:
        alice.get(url)
    make_more(40)
    for days in range(31, 38):
        change_default_profile(validity_days=days)

    with CaptureQueriesContext(connection) as many:
        alice.get(url)

    assert len(many) == len(few) <= 8


def test_a_list_reads_no_certificates_bytes(alice, certificate):
    with CaptureQueriesContext(connection) as queries:
        alice.get(reverse(LIST))

    assert not any('"csr_der"' in query["sql"] for query in queries)


@pytest.mark.parametrize(
    ("state", "days", "word"),
    [
        ("issued", 31, "Active"),
        ("issued", 29, "Expiring"),
        ("issued", -1, "Expired"),
        ("superseded", 29, "Superseded"),
        ("superseded", -1, "Expired"),
        ("revoked", 29, "Revoked"),
        ("revoked", -1, "Revoked"),
        ("intent", 29, "Intent"),
        ("void", 29, "Void"),
    ],
)
def test_the_status_filter_and_the_chip_say_the_same(alice, certificate, state, days, word):
    IssuedCertificate.objects.filter(pk=certificate.pk).update(
        state=state, not_after=timezone.now() + datetime.timedelta(days=days)
    )
    certificate.refresh_from_db()
    assert status_of(certificate)[0] == word

    listed = {
        value: certificate in alice.get(reverse(LIST), {"status": value}).context["cl"].result_list
        for value in ["active", "expiring", "expired", "superseded", "revoked", "intent", "void"]
    }

    assert [value for value, is_listed in listed.items() if is_listed] == [word.lower()]
