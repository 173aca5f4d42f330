"""Intent, sign, issued."""

from pki.models import IssuedCertificate
from tests.support.builders import make_csr


def test_first_enrollment_is_recorded_and_verifies(est_client, device_ca):
    response = est_client.simpleenroll(make_csr("sensor-1"))

    certificate = response.certificate
    certificate.verify_directly_issued_by(device_ca.certificate)
    row = IssuedCertificate.objects.get(common_name="sensor-1")
    assert row.to_x509() == certificate
    assert row.state == IssuedCertificate.State.ISSUED


def test_device_renews_with_its_own_certificate(est_client):
    first = est_client.simpleenroll(make_csr("sensor-1")).certificate

    second = est_client.using(first).simplereenroll(make_csr("sensor-1")).certificate

    assert second.subject == first.subject
    assert second.serial_number != first.serial_number
    old, new = IssuedCertificate.objects.filter(common_name="sensor-1").order_by("created_at")
    assert old.state == IssuedCertificate.State.SUPERSEDED
    assert new.predecessor == old
