"""Which client certificates authenticate anybody, and which are refused though they look right."""

import datetime

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from django.utils import timezone

from pki.models import IssuedCertificate
from pki.record.audit_trail import Actor
from pki.revocation.revoke import revoke_certificate
from pki.signers import get_signer
from tests.support.builders import BuiltCA, make_ca, make_certificate, make_csr, make_key
from tests.support.transports import through_lambda, through_socket

TESTER = Actor("test")
ISSUED = IssuedCertificate.objects.exclude(operation="client")


@pytest.fixture
def device_certificate(est_client):
    """sensor-1's own."""
    return est_client.simpleenroll(make_csr("sensor-1")).certificate


def refusals(client, certificate, csr):
    """What the operations say to that certificate, by the gateway and by the TLS server."""
    holder = client.using(certificate)
    socket = [
        through_socket(
            "POST",
            client.url(operation),
            certificate=certificate,
            headers={"Content-Type": "application/pkcs10"},
            body=csr,
        )
        for operation in ("simpleenroll", "simplereenroll")
    ]
    answers = [holder.simpleenroll(csr), holder.simplereenroll(csr), *socket]
    return {(answer.status_code, answer.reason) for answer in answers}


def test_T13_W29_a_look_alike_of_equal_serial_and_subject_is_refused(
    est_client, device_certificate, device_ca
):
    # Another CA that calls itself by the same name, with a key of its own.
    impostor = make_ca(subject=device_ca.certificate.subject, key=make_key("ec-p256", 77))
    look_alike = make_certificate(
        impostor,
        subject=device_certificate.subject,
        public_key=device_certificate.public_key(),
        certificate_serial=device_certificate.serial_number,
    )
    self_signed = make_certificate(
        BuiltCA(device_certificate, make_key()),
        subject=device_certificate.subject,
        certificate_serial=device_certificate.serial_number,
    )
    csr = make_csr("sensor-1", key=make_key("ec-p256", 1))

    for certificate in (look_alike, self_signed):
        assert refusals(est_client, certificate, csr) == {(403, "client-certificate-untrusted")}
    assert ISSUED.count() == 1


def test_T13_a_look_alike_from_a_trusted_client_ca_is_not_the_device(
    est_client, device_certificate, trust
):
    factory = make_ca("factory")
    trust(factory)
    look_alike = make_certificate(
        factory,
        subject=device_certificate.subject,
        certificate_serial=device_certificate.serial_number,
    )
    csr = make_csr("sensor-1", key=make_key("ec-p256", 1))

    assert refusals(est_client, look_alike, csr) == {(403, "name-bound-to-another")}


def test_W30_T13_a_certificate_that_our_ca_signed_but_never_recorded_is_refused(
    est_client, device_ca, client_ca
):
    for ca in (device_ca, client_ca):
        key = get_signer(ca.signer).private_key(ca.key_reference)
        unknown = make_certificate(BuiltCA(ca.certificate, key), "sensor-1")
        csr = make_csr("sensor-1")
        assert refusals(est_client, unknown, csr) == {(403, "client-certificate-unknown")}


def test_W30_T13_a_revoked_certificate_authenticates_nobody(est_client, device_certificate):
    row = ISSUED.get()
    revoke_certificate(row, reason="keyCompromise", actor=TESTER)

    found = refusals(est_client, device_certificate, make_csr("sensor-1"))

    assert found == {(403, "client-certificate-revoked")}
    assert ISSUED.count() == 1  # it got nowhere near an intent


def test_W31_T13_an_expired_certificate_authenticates_nobody(
    est_client, device_certificate, monkeypatch
):
    later = device_certificate.not_valid_after_utc + datetime.timedelta(seconds=1)
    monkeypatch.setattr(timezone, "now", lambda: later)

    found = refusals(est_client, device_certificate, make_csr("sensor-1"))

    assert found == {(403, "client-certificate-expired")}


def test_T13_a_certificate_of_the_future_authenticates_nobody(est_client, trust):
    factory = make_ca("factory")
    trust(factory)
    tomorrow = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
    early = make_certificate(factory, "early", not_before=tomorrow)

    found = refusals(est_client, early, make_csr("sensor-1"))

    assert found == {(403, "client-certificate-expired")}


def test_T13_T28_an_idevid_that_never_expires_is_welcome(est_client, trust):
    factory = make_ca("factory")
    trust(factory)
    never = datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)
    idevid = make_certificate(factory, "sensor-9", not_after=never)

    assert est_client.using(idevid).simpleenroll(make_csr("sensor-9")).status_code == 200


def test_a_factory_certificate_without_name_or_usages_is_welcome(est_client, trust):
    factory = make_ca("factory")
    trust(factory)
    bare = make_certificate(factory, subject=x509.Name([]), extensions=[])

    assert est_client.using(bare).simpleenroll(make_csr("sensor-9")).status_code == 200


def test_a_certificate_for_servers_is_no_client(est_client, trust):
    factory = make_ca("factory")
    trust(factory)
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    server = make_certificate(factory, "www", extensions=[(usage, False)])

    found = refusals(est_client, server, make_csr("sensor-9"))

    assert found == {(403, "client-certificate-unsuitable")}


def test_T13_a_retired_ca_still_authenticates_a_revoked_ca_does_not(
    est_client, device_certificate, device_ca
):
    device = est_client.using(device_certificate)
    device_ca.status = device_ca.Status.REVOKED
    device_ca.save()

    response = device.simplereenroll(make_csr("sensor-1"))

    assert response.status_code in (403, 503)
    assert ISSUED.count() == 1


def test_W29_a_device_certificate_at_simpleenroll_is_for_its_own_name_only(
    est_client, device_certificate
):
    device = est_client.using(device_certificate)

    other = device.simpleenroll(make_csr("sensor-2", key=make_key("ec-p256", 1)))

    assert (other.status_code, other.reason) == (403, "name-not-yours")


@pytest.mark.parametrize(
    "pem",
    ["junk", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "\u00e9\ud7ff"],
)
def test_T01_a_certificate_that_cannot_be_read_authenticates_nobody(est_client, pem):
    url, headers = est_client.url("simpleenroll"), {"Content-Type": "application/pkcs10"}
    event = est_client.event("POST", url, make_csr(), headers)
    event["requestContext"]["identity"]["clientCert"]["clientCertPem"] = pem

    response = through_lambda(event)

    assert (response.status_code, response.reason) == (403, "client-certificate-malformed")
    assert "(request 11111111-2222-3333-4444-555555555555)" in response.text


def test_a_chain_from_the_gateway_is_not_needed_for_a_direct_issuer(est_client, trust):
    root = make_ca("root")
    issuing = make_ca("issuing", issuer=root)
    trust(issuing, "issuing")

    leaf = make_certificate(issuing, "sensor-1")

    assert est_client.using(leaf).simpleenroll(make_csr("sensor-1")).status_code == 200
