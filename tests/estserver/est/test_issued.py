"""Serial numbers, validity, and that each client gets its own certificate."""

import datetime
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.db import connections
from django.utils import timezone

from pki.authorities.bootstrap import bootstrap_cas
from pki.authorities.create import create_authority
from pki.models import CertificateAuthority, IssuedCertificate
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from tests.support.builders import make_ca, make_certificate, make_csr, make_key
from tests.support.est_client import ESTClient

UTC = datetime.UTC


def enrolled():
    return IssuedCertificate.objects.exclude(operation="client")


def test_T33_a_repeating_source_of_serials_gives_no_serial_twice(est_client, monkeypatch):
    stuck = [5, 5, 5, 5, 6, 6, 7]
    monkeypatch.setattr(
        "pki.signers.certificate_contents.secrets", SimpleNamespace(randbits=lambda _: stuck.pop(0))
    )
    serials = []
    for number in range(3):
        csr = make_csr(f"sensor-{number}", key=make_key("ec-p256", number))
        serials.append(est_client.simpleenroll(csr).certificate.serial_number)

    assert len(set(serials)) == 3
    assert {row.serial_number for row in enrolled()} == {f"{serial:x}" for serial in serials}
    assert stuck == []


def test_T33_a_source_of_serials_that_is_stuck_for_good_issues_nothing_twice(
    est_client, monkeypatch
):
    monkeypatch.setattr(
        "pki.signers.certificate_contents.secrets", SimpleNamespace(randbits=lambda _: 5)
    )
    monkeypatch.setattr("pki.record.transactions.FIRST_PAUSE", 0)
    first = est_client.simpleenroll(make_csr("sensor-1"))
    second = est_client.simpleenroll(make_csr("sensor-2", key=make_key("ec-p256", 1)))

    assert first.status_code == 200
    assert (second.status_code, second.reason) == (503, "database-unavailable")
    assert enrolled().count() == 1


def test_T33_serials_are_positive_and_fit_20_octets(est_client):
    for number in range(20):
        csr = make_csr(f"sensor-{number}", key=make_key("ec-p256", number))
        certificate = est_client.simpleenroll(csr).certificate

        assert 128 <= certificate.serial_number.bit_length() <= 159
        row = IssuedCertificate.objects.get(common_name=f"sensor-{number}")
        assert int(row.serial_number, 16) == certificate.serial_number


@pytest.fixture
def lasting_client(est_client, trust):
    """A client whose certificate, an IDevID, never expires."""
    never = datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    factory = make_ca("factory", not_after=never)
    trust(factory)
    return est_client.using(make_certificate(factory, "line", not_after=never))


@pytest.fixture
def long_lived_ca(installation, change_default_profile):
    """A device CA that is good until the end of the century."""
    ca = create_authority(
        CertificateAuthority.Purpose.DEVICE,
        "century",
        common_name="Century CA",
        key_algorithm="ec-p256",
        validity=datetime.timedelta(days=365 * 70),
        signer="keyfile",
        actor=Actor("test"),
    )
    change_default_profile(ca=ca)
    return ca


@pytest.mark.parametrize(
    "now",
    [
        datetime.datetime(2028, 2, 29, 12, tzinfo=UTC),
        datetime.datetime(2049, 6, 1, tzinfo=UTC),
        datetime.datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime.datetime(2050, 1, 1, tzinfo=UTC),
        datetime.datetime(2072, 2, 29, tzinfo=UTC),
    ],
)
def test_T28_leap_days_and_the_turn_of_2050(lasting_client, long_lived_ca, monkeypatch, now):
    monkeypatch.setattr(timezone, "now", lambda: now)

    certificate = lasting_client.simpleenroll(make_csr("sensor-1")).certificate

    assert certificate.not_valid_before_utc == now - datetime.timedelta(minutes=5)
    assert certificate.not_valid_after_utc == now + datetime.timedelta(days=365)
    row = enrolled().get()
    assert (row.not_before, row.not_after) == (
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
    )
    # UTCTime through 2049, GeneralizedTime from 2050 (RFC 5280 4.1.2.5).
    der = certificate.public_bytes(Encoding.DER)
    for moment in (certificate.not_valid_before_utc, certificate.not_valid_after_utc):
        text = moment.strftime("%Y%m%d%H%M%SZ")
        is_generalized = moment.year >= 2050
        wanted = f"\x18\x0f{text}" if is_generalized else f"\x17\x0d{text[2:]}"
        assert wanted.encode() in der


@pytest.mark.parametrize("left", ["a second", "a day", "364 days"])
def test_T28_a_certificate_never_outlives_its_ca(lasting_client, device_ca, monkeypatch, left):
    before = {"a second": 1, "a day": 86_400, "364 days": 364 * 86_400}[left]
    now = device_ca.not_after - datetime.timedelta(seconds=before)
    monkeypatch.setattr(timezone, "now", lambda: now)

    certificate = lasting_client.simpleenroll(make_csr("sensor-1")).certificate

    assert certificate.not_valid_after_utc == device_ca.certificate.not_valid_after_utc


def test_T28_W18_a_ca_whose_time_is_over_issues_nothing(lasting_client, device_ca, monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: device_ca.not_after)

    response = lasting_client.simpleenroll(make_csr("sensor-1"))

    assert (response.status_code, response.reason) == (503, "ca-unavailable")
    assert not enrolled().exists()


def spki(key):
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.django_db(transaction=True)
def test_T35_every_reply_matches_its_own_request_under_concurrency(data_dir):
    bootstrap_cas(actor=Actor("test"))
    client = ESTClient.from_files(data_dir / "test-client.pem")
    threads, rounds = 16, 4
    keys = {
        (thread, number): make_key("ec-p256", 1000 + thread * rounds + number)
        for thread in range(threads)
        for number in range(rounds)
    }
    start = threading.Barrier(threads)

    def enroll_some(thread):
        start.wait()
        replies = []
        try:
            for number in range(rounds):
                name = f"t{thread}-{number}"
                csr = make_csr(name, key=keys[thread, number])
                response = client.simpleenroll(csr)
                while response.status_code == 503:  # busy: it says to come again
                    response = client.simpleenroll(csr)
                replies.append((name, number, response))
        finally:
            connections.close_all()
            audit_trail.start_new_chain()
        return replies

    with ThreadPoolExecutor(threads) as pool:
        results = list(pool.map(enroll_some, range(threads)))

    for thread, replies in enumerate(results):
        for name, number, response in replies:
            certificate = response.certificate
            assert certificate.subject.rfc4514_string() == f"CN={name}"
            assert spki(certificate.public_key()) == spki(keys[thread, number].public_key())
    assert enrolled().filter(state="issued").count() == threads * rounds
    count, found = audit_trail.verify()
    assert found is None
    assert count > threads * rounds
