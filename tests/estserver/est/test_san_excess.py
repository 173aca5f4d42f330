"""Devices that ask for more names than they may have, as the CDK sample's own client does."""

import logging
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from estserver.config import PROJECT_ROOT, load_config
from estserver.config.keys import Properties
from pki.choices import SANExcess
from pki.encoding.certificates import san_of
from pki.models import AuditEvent, CertificateProfile, IssuedCertificate
from tests.settings import EST_DOMAIN
from tests.support.builders import make_csr, make_key

CASES = Path(__file__).parents[2] / "cases"
DNS, URI = x509.DNSName, x509.UniformResourceIdentifier
MIGRATION = import_module("pki.migrations.0007_san_excess")
HOST = DNS(EST_DOMAIN)
SAMPLE_SUBJECT = x509.Name(
    x509.NameAttribute(oid, value)
    for oid, value in (
        (NameOID.COMMON_NAME, "kit-smp-1"),
        (NameOID.COUNTRY_NAME, "US"),
        (NameOID.STATE_OR_PROVINCE_NAME, "Oregon"),
        (NameOID.LOCALITY_NAME, "Salem"),
        (NameOID.ORGANIZATION_NAME, "Pumps, Inc."),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "Field Ops"),
        (NameOID.SERIAL_NUMBER, "SN0001"),
    )
)


def sample_csr(index=0):
    """What the sample's client sends: RSA 4096, seven attributes, the EST host as DNS name."""
    key = make_key("rsa-4096", index)
    return make_csr(subject=SAMPLE_SUBJECT, key=key, san=[HOST])


def names_of(certificate):
    return list(san_of(certificate.extensions) or ())


@pytest.fixture
def enrolled(est_client):
    """Enroll sensor-1 with a SAN under the profile in force; return the device's EST client."""

    def enroll(*names):
        response = est_client.simpleenroll(make_csr("sensor-1", san=list(names)))
        assert response.status_code == 200, response.text
        return est_client.using(response.certificate)

    return enroll


def test_the_samples_client_enrolls_and_renews_with_the_samples_configuration(est_client):
    sample = load_config(PROJECT_ROOT / "config" / "config-sample-all-generated.yaml", environ={})
    assert sample.properties == Properties()  # so the installation here is the sample's

    enrolled = est_client.simpleenroll(sample_csr())
    assert enrolled.status_code == 200, enrolled.text
    renewed = est_client.using(enrolled.certificate).simplereenroll(sample_csr(1))

    assert renewed.status_code == 200, renewed.text
    for certificate in (enrolled.certificate, renewed.certificate):
        assert certificate.subject == SAMPLE_SUBJECT
        assert names_of(certificate) == []
        assert EST_DOMAIN.encode() not in certificate.public_bytes(Encoding.DER)


@pytest.mark.parametrize("name", ["csr-san-of-est-host", "csr-san-ip"])
@pytest.mark.parametrize("rule", ["none", "own-name"])
def test_the_recorded_requests_enroll_without_their_names(
    est_client, change_default_profile, name, rule
):
    change_default_profile(san_rule=rule)

    response = est_client.simpleenroll((CASES / f"{name}.der").read_bytes())

    assert response.status_code == 200, response.text
    assert names_of(response.certificate) == []


def test_what_is_left_out_is_in_the_log_and_on_the_audit_trail(est_client, caplog):
    with caplog.at_level(logging.INFO, logger="pki.issuance.issue"):
        response = est_client.simpleenroll(make_csr("sensor-1", san=[HOST, DNS("sensor-1.a.com")]))

    assert names_of(response.certificate) == [DNS("sensor-1.a.com")]
    (line,) = [record for record in caplog.records if record.name == "pki.issuance.issue"]
    assert "the profile leaves out" in line.getMessage()
    assert line.fields == {"san_left_out": [f"DNSName '{EST_DOMAIN}'"]}
    (intent,) = AuditEvent.objects.filter(action="intent", after__name="sensor-1")
    assert intent.after["san_left_out"] == [f"DNSName '{EST_DOMAIN}'"]
    assert IssuedCertificate.objects.get(common_name="sensor-1").san == "sensor-1.a.com"


def test_nothing_is_said_where_nothing_is_left_out(est_client, caplog):
    est_client.simpleenroll(make_csr("sensor-1", san=[DNS("sensor-1.a.com")]))

    assert [record for record in caplog.records if record.name == "pki.issuance.issue"] == []
    assert (
        "san_left_out" not in AuditEvent.objects.get(action="intent", after__name="sensor-1").after
    )


def test_a_profile_may_refuse_instead(est_client, change_default_profile):
    change_default_profile(san_excess="refuse")

    response = est_client.simpleenroll(make_csr("sensor-1", san=[HOST]))

    assert (response.status_code, response.reason) == (400, "san-not-allowed")


def test_W26_a_renewal_never_loses_a_name_that_is_on_file(enrolled, change_default_profile):
    """The rule became narrower meanwhile: the name stays, and so must the CSR ask for it."""
    other, host = DNS("www.example.com"), HOST
    change_default_profile(san_rule="any")
    device = enrolled(other)
    change_default_profile(san_rule="own-name")

    renewed = device.simplereenroll(
        make_csr("sensor-1", key=make_key("ec-p256", 1), san=[other, host])
    )
    without = device.simplereenroll(make_csr("sensor-1", key=make_key("ec-p256", 2), san=[host]))
    more = device.simplereenroll(
        make_csr("sensor-1", key=make_key("ec-p256", 3), san=[other, DNS("sensor-1.a.com")])
    )

    assert renewed.status_code == 200, renewed.text
    assert names_of(renewed.certificate) == [other]
    for response in (without, more):
        assert (response.status_code, response.reason) == (403, "san-changed")


def test_a_certificate_with_the_servers_name_renews_without_it(
    enrolled, change_default_profile, settings
):
    change_default_profile(san_rule="any", san_excess="refuse")
    with_host = settings.PKI
    settings.PKI = replace(settings.PKI, server_names=())
    device = enrolled(HOST, DNS("www.example.com"))
    assert HOST in names_of(device.certificate)
    settings.PKI = with_host
    change_default_profile(validity_days=30)  # makes every process read the rules again

    renewed = device.simplereenroll(
        make_csr("sensor-1", key=make_key("ec-p256", 1), san=[HOST, DNS("www.example.com")])
    )

    assert renewed.status_code == 200, renewed.text
    assert names_of(renewed.certificate) == [DNS("www.example.com")]
    (intent,) = AuditEvent.objects.filter(action="intent", after__operation="reenroll")
    assert intent.after["san_left_out"] == [f"DNSName '{EST_DOMAIN}'"]


def test_profiles_from_before_go_on_refusing_and_new_ones_leave_names_out():
    """A column is filled with its default when it is added; the default changes afterwards."""
    added, altered = MIGRATION.Migration.operations

    assert added.field.default == SANExcess.REFUSE
    assert altered.field.default == SANExcess.DROP
    assert CertificateProfile().san_excess == SANExcess.DROP
