"""The list of certificates by what the lint finds, kept by the file and by operations."""

import csv
import io

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from django.contrib.auth.models import User
from django.urls import reverse

from pki.admin import certificate_filters
from pki.models import IssuedCertificate
from tests.support.builders import make_ca, make_certificate, make_csr, make_key

pytestmark = pytest.mark.django_db

LIST = "/admin/pki/issuedcertificate/"


@pytest.fixture
def alice(est_client, client):
    """Signed in, where sensor-2 has a certificate of another CA than the one on record."""
    for index in range(3):
        est_client.simpleenroll(make_csr(f"sensor-{index}", key=make_key(index=index)))
    wrong = make_certificate(make_ca("elsewhere"), "sensor-2")
    IssuedCertificate.objects.filter(common_name="sensor-2").update(
        der=wrong.public_bytes(Encoding.DER)
    )
    client.force_login(User.objects.create_superuser("alice"))
    return client


def names(client, **query):
    return sorted(row.common_name for row in client.get(LIST, query).context["cl"].result_list)


def test_the_list_shows_those_with_findings_or_those_without(alice):
    assert names(alice, lint="failed") == ["sensor-2"]
    assert names(alice, lint="passed") == ["sensor-0", "sensor-1", "test-client"]


def test_it_looks_at_the_newest_of_what_the_other_filters_leave(alice, monkeypatch):
    monkeypatch.setattr(certificate_filters, "MOST_LINTED", 1)

    assert names(alice, lint="failed") == ["sensor-2"]
    assert names(alice, lint="passed") == []
    assert names(alice, lint="passed", operation__exact="client") == ["test-client"]


def test_a_certificate_that_cannot_be_read_failed(alice):
    IssuedCertificate.objects.filter(common_name="sensor-1").update(der=b"\x30\x03no")

    assert names(alice, lint="failed") == ["sensor-1", "sensor-2"]


def test_the_file_and_the_revocation_have_the_same_rows(alice):
    export = alice.get(reverse("admin:pki_issuedcertificate_export"), {"lint": "failed"})
    _, *rows = csv.reader(io.StringIO(export.getvalue().decode(), newline=""))
    assert len(rows) == 1
    assert "sensor-2" in rows[0]

    url = reverse("admin:pki_issuedcertificate_revoke-matching")
    assert "1 certificates" in alice.get(url, {"lint": "failed"}).text


def test_a_value_that_is_not_offered_lists_nothing_and_says_so(alice):
    shown = alice.get(LIST, {"lint": "maybe"})

    assert "Use one of: failed, passed." in shown.text
    assert not shown.context["cl"].result_list
