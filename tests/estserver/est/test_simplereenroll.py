"""``/simplereenroll``: the same subject and names, whoever calls, or nothing."""

import datetime

import pytest
from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID
from django.utils import timezone

from pki.csr.reading import CHANGE_SUBJECT_NAME
from pki.models import IssuedCertificate
from tests.support.builders import make_csr, make_key, make_name

DNS = x509.DNSName
SAN = [DNS("sensor-1.example.com"), x509.UniformResourceIdentifier("urn:thing:sensor-1")]
KEY, NEW_KEY = make_key("ec-p256", 0), make_key("ec-p256", 1)
SUBJECT = make_name("sensor-1", organization="Example Org", country="DE", serial_number="4711")


def spelled(*attributes, kind=None):
    return x509.Name([x509.NameAttribute(oid, value, kind) for oid, value in attributes])


PARTS = [(attribute.oid, attribute.value) for attribute in SUBJECT]
LOUD = [(oid, value.upper() if oid == NameOID.ORGANIZATION_NAME else value) for oid, value in PARTS]
SPACED = [(oid, value.replace("e O", "e  O")) for oid, value in PARTS]

# What the CSR says, and the answer. The certificate says SUBJECT and SAN.
TABLE = {
    "the same": ({}, 200, ""),
    "rekey": ({"key": NEW_KEY}, 200, ""),
    "PrintableString": ({"subject": spelled(*PARTS, kind=_ASN1Type.PrintableString)}, 200, ""),
    "BMPString": ({"subject": spelled(*PARTS, kind=_ASN1Type.BMPString)}, 200, ""),
    "UTF8String": ({"subject": spelled(*PARTS, kind=_ASN1Type.UTF8String)}, 200, ""),
    "letter case": ({"subject": spelled(*LOUD)}, 200, ""),
    "runs of spaces": ({"subject": spelled(*SPACED)}, 200, ""),
    "other CN": (
        {"subject": make_name("sensor-2"), "san": [DNS("sensor-2")]},
        403,
        "subject-changed",
    ),
    "CN alone": ({"subject": make_name("sensor-1")}, 403, "subject-changed"),
    "other serialNumber": (
        {"subject": spelled(*PARTS[:-1], (NameOID.SERIAL_NUMBER, "4712"))},
        403,
        "subject-changed",
    ),
    "one attribute more": (
        {"subject": spelled(*PARTS, (NameOID.LOCALITY_NAME, "Kiel"))},
        403,
        "subject-changed",
    ),
    "order of the RDNs": ({"subject": spelled(*reversed(PARTS))}, 403, "subject-changed"),
    "SAN dropped": ({"san": None}, 403, "san-changed"),
    "a SAN removed": ({"san": SAN[:1]}, 403, "san-changed"),
    "a SAN added": ({"san": [*SAN, DNS("sensor-1")]}, 403, "san-changed"),
    "a SAN changed": ({"san": [DNS("sensor-1.example.org"), SAN[1]]}, 403, "san-changed"),
    "SANs reordered": ({"san": SAN[::-1]}, 200, ""),
    "DNS name in capitals": ({"san": [DNS("SENSOR-1.example.com"), SAN[1]]}, 200, ""),
    "ChangeSubjectName": (
        {"attributes": [(CHANGE_SUBJECT_NAME, b"\x30\x00")]},
        403,
        "change-subject-name-refused",
    ),
}


@pytest.fixture
def device(est_client):
    """An EST client with the device's own certificate."""
    csr = make_csr(subject=SUBJECT, san=SAN, key=KEY)
    return est_client.using(est_client.simpleenroll(csr).certificate)


@pytest.mark.parametrize("caller", ["device", "bootstrap client"])
@pytest.mark.parametrize("what", TABLE)
def test_W26_W27_what_a_renewal_may_change(est_client, device, what, caller):
    changes, status, reason = TABLE[what]
    csr = make_csr(**{"subject": SUBJECT, "san": SAN, "key": KEY, **changes})
    client = device if caller == "device" else est_client
    if what == "other CN" and caller != "device":
        reason = "nothing-to-renew"  # the client has sensor-1; nobody has sensor-2

    response = client.simplereenroll(csr)

    assert response.status_code == status, response.text
    if status == 200:
        renewed = response.certificate
        assert renewed.subject.public_bytes() == device.certificate.subject.public_bytes()
        found = renewed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert list(found) == SAN
        key = changes.get("key", KEY)
        assert renewed.public_key() == key.public_key()
    else:
        assert response.reason == reason
        assert IssuedCertificate.objects.filter(operation="reenroll").count() == 0


def test_W27_both_without_san(est_client):
    device = est_client.using(est_client.simpleenroll(make_csr("sensor-1")).certificate)

    assert device.simplereenroll(make_csr("sensor-1")).status_code == 200
    added = device.simplereenroll(make_csr("sensor-1", san=[DNS("sensor-1")]))
    assert (added.status_code, added.reason) == (403, "san-changed")


def test_W28_a_profile_may_ask_for_a_new_key(device, change_default_profile):
    change_default_profile(can_reuse_key=False)

    renew = device.simplereenroll(make_csr(subject=SUBJECT, san=SAN, key=KEY))
    rekey = device.simplereenroll(make_csr(subject=SUBJECT, san=SAN, key=NEW_KEY))

    assert (renew.status_code, renew.reason) == (403, "key-reuse-refused")
    assert rekey.status_code == 200


def test_the_renewal_window_opens_before_the_end(est_client, change_default_profile):
    change_default_profile(validity_days=100, reenroll_window_days=99)
    device = est_client.using(est_client.simpleenroll(make_csr("sensor-1")).certificate)
    early = device.simplereenroll(make_csr("sensor-1"))
    change_default_profile(reenroll_window_days=100)
    in_time = device.simplereenroll(make_csr("sensor-1"))

    assert (early.status_code, early.reason) == (403, "reenroll-too-early")
    assert in_time.status_code == 200


def test_W29_without_a_certificate_nothing_is_renewed(device, stranger):
    response = stranger.simplereenroll(make_csr(subject=SUBJECT, san=SAN))

    assert (response.status_code, response.reason) == (401, "client-certificate-missing")


def test_a_superseded_certificate_renews_within_its_overlap_and_not_after(device, monkeypatch):
    rekey = make_csr(subject=SUBJECT, san=SAN, key=NEW_KEY)
    assert device.simplereenroll(rekey).status_code == 200
    again = make_csr(subject=SUBJECT, san=SAN, key=make_key("ec-p256", 2))
    third = make_csr(subject=SUBJECT, san=SAN, key=make_key("ec-p256", 3))

    within = device.simplereenroll(again)
    later = timezone.now() + datetime.timedelta(days=7, minutes=1)
    monkeypatch.setattr(timezone, "now", lambda: later)
    after = device.simplereenroll(third)

    assert within.status_code == 200
    assert (after.status_code, after.reason) == (403, "client-certificate-superseded")


def test_an_answer_that_was_lost_is_given_again_although_the_caller_is_superseded(device):
    csr = make_csr(subject=SUBJECT, san=SAN, key=NEW_KEY)

    first, second = device.simplereenroll(csr), device.simplereenroll(csr)

    assert first.body == second.body
    assert IssuedCertificate.objects.filter(operation="reenroll").count() == 1


def test_W32_the_reply_is_that_of_simpleenroll(device):
    response = device.simplereenroll(make_csr(subject=SUBJECT, san=SAN))

    assert response["Content-Type"] == "application/pkcs7-mime; smime-type=certs-only"
    assert len(response.certificates) == 1


def test_a_bound_bootstrap_client_renews_its_names_unless_switched_off(
    est_client, device, change_default_profile
):
    csr = make_csr(subject=SUBJECT, san=SAN)
    assert est_client.simplereenroll(csr).status_code == 200

    change_default_profile(can_client_reenroll=False)
    other = make_csr(subject=SUBJECT, san=SAN, key=NEW_KEY)
    refused = est_client.simplereenroll(other)
    own = device.simplereenroll(other)

    assert (refused.status_code, refused.reason) == (403, "reenroll-needs-device-certificate")
    assert own.status_code == 200


def test_T12_a_bootstrap_client_cannot_renew_what_another_enrolled(
    est_client, device, make_client_certificate
):
    other = est_client.using(make_client_certificate("another"))

    response = other.simplereenroll(make_csr(subject=SUBJECT, san=SAN))

    assert (response.status_code, response.reason) == (403, "name-bound-to-another")


def test_a_name_enrolled_elsewhere_is_adopted_only_when_the_profile_says_so(
    est_client, change_default_profile
):
    refused = est_client.simplereenroll(make_csr("old-1"))
    change_default_profile(can_adopt_names=True)
    adopted = est_client.simplereenroll(make_csr("old-1"))

    assert (refused.status_code, refused.reason) == (403, "nothing-to-renew")
    assert adopted.status_code == 200


def test_T12_an_adopted_name_belongs_to_who_adopted_it(
    est_client, change_default_profile, make_client_certificate
):
    change_default_profile(can_adopt_names=True)
    assert est_client.simplereenroll(make_csr("old-1")).status_code == 200

    other = est_client.using(make_client_certificate("another"))
    response = other.simplereenroll(make_csr("old-1", key=NEW_KEY))

    assert (response.status_code, response.reason) == (403, "name-bound-to-another")
