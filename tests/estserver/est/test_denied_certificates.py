"""A request is denied by whichever of its certificates an entry names (T40)."""

import datetime
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from django.core.management import call_command
from django.utils import timezone

from iotprov.drift.expected import Record
from iotprov.provisioning.desired_state import Goal, desired_state
from iotprov.provisioning.record_facts import read_facts
from pki.csr.public_keys import public_key_sha256
from pki.denylist.csv_import import read_lines
from pki.denylist.entries import allow, certificates_concerned, deny
from pki.encoding.certificates import fingerprint_of, with_other_signature
from pki.issuance import client_authentication
from pki.jobs.denying import import_lines
from pki.models import CertificateProfile, DenylistEntry, IssuedCertificate
from pki.signers import get_signer
from tests.conftest import TESTER
from tests.support.builders import make_ca, make_certificate, make_csr, make_key, make_name

FACTORY_KEY = 800


def deny_(kind, value):
    return deny(kind, value, reason="stolen", actor=TESTER)


def key_of(certificate):
    return public_key_sha256(certificate.public_key())


def pem(certificate):
    return certificate.public_bytes(Encoding.PEM).decode()


def csr(name="sensor-1", key=300, **parts):
    return make_csr(name, key=make_key("ec-p256", key), **parts)


@pytest.fixture
def factory(trust):
    """A client CA from outside, with no certificate on record."""
    factory = make_ca("factory")
    trust(factory)
    return factory


@pytest.fixture
def outside(factory):
    """A factory certificate with a serial number in its subject."""
    return make_certificate(
        factory,
        subject=make_name("line-1", serial_number="LINE-7"),
        public_key=make_key("ec-p256", FACTORY_KEY).public_key(),
    )


@pytest.fixture
def flipped(factory, outside):
    """The same certificate with its ECDSA signature rewritten, which anybody can do."""
    return x509.load_der_x509_certificate(with_other_signature(outside, factory.certificate))


@pytest.fixture(params=["outside-for-flipped", "flipped-for-outside"])
def twins(request, outside, flipped):
    """The certificate that is named, and the one that comes in its place."""
    return (outside, flipped) if request.param == "outside-for-flipped" else (flipped, outside)


@pytest.mark.parametrize("operation", ["simpleenroll", "simplereenroll"])
def test_T40_a_denied_key_does_not_authenticate_a_device(est_client, operation):
    device = est_client.using(est_client.simpleenroll(csr(key=301)).certificate)
    deny_("key", key_of(device.certificate))

    refused = getattr(device, operation)(csr(key=302))

    assert (refused.status_code, refused.reason) == (403, "device-denied")
    assert "The denylist names this public key." in refused.text


def test_T40_the_key_of_the_certificate_on_file_counts(est_client):
    on_file = est_client.simpleenroll(csr(key=301)).certificate
    deny_("key", key_of(on_file))

    assert est_client.simplereenroll(csr(key=302)).reason == "device-denied"


@pytest.mark.parametrize(
    "kind", ["name", "device-serial", "key", "client", "fingerprint", "serial"]
)
def test_T40_whatever_a_client_certificate_says_of_itself_is_asked(est_client, outside, kind):
    value = {"name": "LINE-1", "device-serial": "line-7"}.get(kind) or pem(outside)
    deny_(kind, value)
    client = est_client.using(outside)

    refused = client.simpleenroll(csr())

    assert refused.reason == ("client-denied" if kind == "client" else "device-denied")
    assert allow(kind, value, reason="found", actor=TESTER)
    assert client.simpleenroll(csr()).status_code == 200


@pytest.mark.parametrize("kind", ["name", "device-serial", "key", "fingerprint", "serial"])
def test_T40_whatever_the_certificate_on_file_says_is_asked(est_client, kind):
    named = make_name("sensor-1", serial_number="SN-1")
    on_file = est_client.simpleenroll(csr(key=301, subject=named)).certificate
    deny_(kind, {"name": "sensor-1", "device-serial": "sn-1"}.get(kind) or pem(on_file))

    assert est_client.simplereenroll(csr(key=302, subject=named)).reason == "device-denied"


def test_T40_a_clients_key_denied_during_the_signature_issues_nothing(
    est_client, outside, data_dir, settings
):
    signers = {"keyfile": {"BACKEND": "tests.support.plugins.WatchedSigner"}}
    settings.PKI = replace(settings.PKI, signers=signers)
    get_signer.cache_clear()
    get_signer("keyfile").before_signature = lambda: deny_("key", key_of(outside))

    refused = est_client.using(outside).simpleenroll(csr())

    assert refused.reason == "device-denied"
    assert not IssuedCertificate.objects.for_name("sensor-1").live().exists()


def test_T40_aws_iot_stops_a_live_certificate_whose_key_is_denied(est_client):
    certificate = est_client.simpleenroll(csr()).certificate
    CertificateProfile.objects.update(iot_provisioning="register")
    row = IssuedCertificate.objects.select_related("profile").get(
        fingerprint_sha256=fingerprint_of(certificate)
    )
    deny_("key", key_of(certificate))
    at = timezone.now() + datetime.timedelta(seconds=1)

    (expected,) = Record("default", at).expected([row])

    assert expected.desired.goal == Goal.SUSPENDED
    assert desired_state(read_facts(row.pk, "default", at), at).goal == Goal.SUSPENDED


def test_T40_a_rewritten_signature_is_valid_and_changes_the_fingerprint(factory, outside, flipped):
    flipped.verify_directly_issued_by(factory.certificate)
    assert flipped.fingerprint(SHA256()) != outside.fingerprint(SHA256())
    assert flipped.tbs_certificate_bytes == outside.tbs_certificate_bytes
    assert with_other_signature(flipped, factory.certificate) == outside.public_bytes(Encoding.DER)


@pytest.mark.parametrize("algorithm", ["ec-p384", "ec-p521"])
def test_T40_a_signature_of_another_curve_is_rewritten_too(algorithm):
    issuer = make_ca("factory", key=make_key(algorithm))
    certificate = make_certificate(issuer)

    other = with_other_signature(certificate, issuer.certificate)

    x509.load_der_x509_certificate(other).verify_directly_issued_by(issuer.certificate)
    assert other != certificate.public_bytes(Encoding.DER)


def test_T40_an_rsa_signature_has_no_other(est_client):
    issuer = make_ca("factory", key=make_key("rsa-2048"))

    assert with_other_signature(make_certificate(issuer), issuer.certificate) is None


@pytest.mark.parametrize("kind", ["client", "fingerprint"])
@pytest.mark.parametrize("said", ["file", "hex", "csv"])
def test_T40_a_denied_client_stays_denied_under_a_rewritten_signature(
    est_client, twins, tmp_path, kind, said
):
    named, other = twins
    path = tmp_path / "client.pem"
    path.write_text(pem(named))
    if said == "csv":
        import_lines(
            read_lines(f'kind,value,reason\n{kind},"{pem(named)}",stolen\n'.encode()), actor=TESTER
        )
    else:
        value = str(path) if said == "file" else fingerprint_of(named)
        call_command("deny", kind, value, reason="stolen")

    assert DenylistEntry.objects.get().value == fingerprint_of(named)
    for certificate in (named, other):
        refused = est_client.using(certificate).simpleenroll(csr())
        assert refused.reason == ("client-denied" if kind == "client" else "device-denied")


@pytest.mark.parametrize("said", ["file", "hex-of-a-known-client"])
def test_T40_an_entry_names_the_signed_part_whatever_the_signature(
    est_client, twins, monkeypatch, said
):
    """Without the fingerprint that a rewritten ECDSA signature gives: the signed part alone."""
    named, other = twins
    monkeypatch.setattr(client_authentication, "other_fingerprint", lambda *_: "")
    client_authentication._read.cache_clear()
    assert est_client.using(named).simpleenroll(csr("sensor-9")).status_code == 200

    deny_("client", pem(named) if said == "file" else fingerprint_of(named))

    assert est_client.using(other).simpleenroll(csr()).reason == "client-denied"
    client_authentication._read.cache_clear()


def test_T40_an_entry_that_is_there_learns_the_signed_part(outside):
    deny_("client", fingerprint_of(outside))
    assert DenylistEntry.objects.get().signed_sha256 is None

    assert not deny_("client", pem(outside))

    assert DenylistEntry.objects.get().signed_sha256 is not None


def test_T40_a_client_is_bound_and_counted_by_the_signed_part(est_client, twins, factory):
    first, second = (est_client.using(certificate) for certificate in twins)
    third = est_client.using(make_certificate(factory, "line-1"))
    assert first.simpleenroll(csr(key=301)).status_code == 200

    assert second.simplereenroll(csr(key=302)).status_code == 200
    assert third.simplereenroll(csr(key=303)).reason == "name-bound-to-another"
    assert second.simpleenroll(csr("sensor-2", key=304)).status_code == 200

    signed = IssuedCertificate.objects.exclude(operation="client").values_list(
        "client_signed_sha256", flat=True
    )
    assert len(signed) == 3
    assert len({*signed}) == 1
    assert certificates_concerned("client", fingerprint_of(twins[0])).live().count() == 3


def test_T40_rows_without_a_signed_part_are_bound_by_the_fingerprint(est_client, twins, factory):
    first, second = (est_client.using(certificate) for certificate in twins)
    assert first.simpleenroll(csr(key=301)).status_code == 200
    IssuedCertificate.objects.update(client_signed_sha256="")
    third = est_client.using(make_certificate(factory, "line-1"))

    assert third.simplereenroll(csr(key=303)).reason == "name-bound-to-another"
    assert second.simplereenroll(csr(key=302)).status_code == 200
