"""The preview of a revocation says what changes in AWS IoT."""

from dataclasses import replace

import pytest
from django.urls import reverse

from iotprov.conf import IoTTarget
from iotprov.models import Provisioning
from pki.models import CertificateProfile, IssuedCertificate
from tests.support.builders import make_csr, make_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def pumps(est_client, settings):
    """Two devices, of which one is ACTIVE at the first of two targets."""
    settings.IOT = replace(
        settings.IOT, targets=(IoTTarget("europe"), IoTTarget("america", region="us-east-1"))
    )
    for number in range(2):
        est_client.simpleenroll(make_csr(f"pump-{number}", key=make_key(index=number)))
    rows = [IssuedCertificate.objects.get(common_name=f"pump-{number}") for number in range(2)]
    CertificateProfile.objects.update(iot_provisioning="register")
    Provisioning.objects.create(
        certificate=rows[0], target="europe", aws_status="ACTIVE", thing_name="pump-<0>"
    )
    return rows


def revoke_page(client, row):
    return client.get(reverse("admin:pki_issuedcertificate_revoke", args=[row.pk])).text


def test_a_revocation_of_one_certificate_says_what_each_target_loses(admin_client, pumps):
    page = revoke_page(admin_client, pumps[0])

    assert (
        "AWS IoT at europe: the certificate becomes REVOKED and is detached from the thing "
        "pump-&lt;0&gt;. It is ACTIVE there now."
    ) in page
    assert "AWS IoT at america: the certificate becomes REVOKED.</li>" in page


def test_a_revocation_of_many_says_so_for_all_targets(admin_client, pumps):
    listed = reverse("admin:pki_issuedcertificate_changelist")
    selected = {"action": "revoke_selected", "_selected_action": [str(row.pk) for row in pumps]}
    matching = reverse("admin:pki_issuedcertificate_revoke-matching")

    assert "AWS IoT at europe, america: the certificates become REVOKED" in (
        admin_client.post(listed, selected).text
    )
    assert "AWS IoT at europe, america: each certificate of a profile that uses AWS IoT" in (
        admin_client.get(matching, {"q": "pump"}).text
    )


def test_a_revocation_without_aws_iot_says_nothing_of_it(admin_client, pumps):
    CertificateProfile.objects.update(iot_provisioning="none")

    assert "AWS IoT at" not in revoke_page(admin_client, pumps[0])
