"""simpleenroll by a device certificate for its own name is a renewal (T43)."""

import pytest
from cryptography import x509

from pki.csr.reading import CHANGE_SUBJECT_NAME
from pki.encoding.certificates import fingerprint_of
from pki.models import IssuedCertificate
from tests.support.builders import make_csr, make_key, make_name


def csr(name="sensor-1", key=301, **parts):
    return make_csr(name, key=make_key("ec-p256", key), **parts)


@pytest.fixture
def device(est_client):
    """A device with its certificate."""
    return est_client.using(est_client.simpleenroll(csr(key=300)).certificate)


def refusals(device, request):
    """What simpleenroll and simplereenroll answer to the same CSR."""
    return [send(request).reason for send in (device.simpleenroll, device.simplereenroll)]


def test_T43_it_is_recorded_as_a_renewal(device):
    certificate = device.simpleenroll(csr()).certificate

    row = IssuedCertificate.objects.get(fingerprint_sha256=fingerprint_of(certificate))
    assert row.operation == "reenroll"
    assert row.predecessor.fingerprint_sha256 == fingerprint_of(device.certificate)


def test_T43_the_window_holds(device, change_default_profile):
    change_default_profile(reenroll_window_days=10)

    assert refusals(device, csr()) == ["reenroll-too-early"] * 2


def test_T43_the_rule_about_keys_holds(device, change_default_profile):
    change_default_profile(can_reuse_key=False)

    assert refusals(device, csr(key=300)) == ["key-reuse-refused"] * 2
    assert device.simpleenroll(csr()).status_code == 200


@pytest.mark.parametrize(
    ("reason", "parts"),
    [
        ("subject-changed", {"subject": make_name("sensor-1", organization="Acme")}),
        ("san-changed", {"san": [x509.DNSName("sensor-1")]}),
        ("change-subject-name-refused", {"attributes": [(CHANGE_SUBJECT_NAME, b"x")]}),
    ],
)
def test_T43_subject_and_san_are_those_on_file(device, reason, parts):
    assert refusals(device, csr(**parts)) == [reason] * 2


def test_T43_the_names_letter_case_is_the_one_on_file(device):
    response = device.simpleenroll(csr("SENSOR-1"))

    assert response.certificate.subject == device.certificate.subject


def test_T43_another_name_stays_a_refusal(device):
    assert device.simpleenroll(csr("sensor-2")).reason == "name-not-yours"


def test_T43_a_factory_client_still_enrolls_again(est_client, device, change_default_profile):
    change_default_profile(reenroll_window_days=10, can_reuse_key=False)

    assert est_client.simpleenroll(csr(subject=make_name("sensor-1", organization="A"))).certificate
