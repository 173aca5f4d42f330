"""A CA's revocation list: what is on it, its number, and what openssl makes of it."""

import datetime
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.db import connection
from django.db.models import F
from django.utils import timezone

from pki.authorities.create import create_authority
from pki.authorities.import_ca import import_authority
from pki.models import CertificateAuthority, IssuedCertificate
from pki.operators.errors import OperatorError
from pki.record.intents import settle_intents
from pki.revocation import crl
from pki.revocation.crl import current_crl, make_crl
from pki.revocation.revoke import REASONS, revoke_certificate
from pki.signers import get_signer
from tests.conftest import TESTER
from tests.support.builders import make_ca, make_csr, make_key
from tests.support.openssl import openssl, write_pem

Purpose = CertificateAuthority.Purpose
State = IssuedCertificate.State


@pytest.fixture
def device(est_client):
    """The row of a device's certificate."""
    est_client.simpleenroll(make_csr("sensor-1"))
    return IssuedCertificate.objects.for_name("sensor-1").get()


def listed(ca):
    """A new CRL of ``ca``."""
    return x509.load_der_x509_crl(make_crl(ca))


def number_of(parsed):
    return parsed.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def entry_of(ca, row):
    return listed(ca).get_revoked_certificate_by_serial_number(int(row.serial_number, 16))


def revoke(row, reason="keyCompromise"):
    revoke_certificate(row, reason=reason, actor=TESTER)


def test_a_revoked_certificate_is_listed_and_a_good_one_isnt(device, device_ca):
    assert entry_of(device_ca, device) is None

    revoke(device)

    assert len(listed(device_ca)) == 1
    assert entry_of(device_ca, device) is not None


@pytest.mark.parametrize("reason", sorted(set(REASONS) - {"unspecified"}))
def test_an_entry_says_reason_and_time(device, device_ca, reason):
    revoke(device, reason)

    entry = entry_of(device_ca, device)

    code = entry.extensions.get_extension_for_class(x509.CRLReason).value
    assert code.reason == x509.ReasonFlags(reason)
    device.refresh_from_db()
    assert entry.revocation_date_utc == device.revoked_at.replace(microsecond=0)


def test_unspecified_is_said_by_leaving_the_reason_out(device, device_ca):
    revoke(device, "unspecified")

    assert len(entry_of(device_ca, device).extensions) == 0  # RFC 5280 5.3.1


def test_void_serial_numbers_are_listed_for_a_signature_may_exist(device, device_ca):
    long_ago = timezone.now() - datetime.timedelta(hours=2)
    IssuedCertificate.objects.filter(pk=device.pk).update(
        state=State.INTENT, created_at=long_ago, current_name=None
    )

    assert settle_intents() == 1

    assert entry_of(device_ca, device) is not None


def test_an_expired_certificate_needs_no_entry(device, device_ca):
    revoke(device)
    IssuedCertificate.objects.filter(pk=device.pk).update(not_after=timezone.now())

    assert len(listed(device_ca)) == 0


def test_each_CA_lists_its_own(device, client_ca):
    revoke(device)

    assert len(listed(client_ca)) == 0


def test_the_number_grows_by_one(device_ca):
    assert [number_of(listed(device_ca)) for _ in range(3)] == [1, 2, 3]


def test_of_two_writers_at_once_the_second_signs_again(device_ca):
    overtaken = []

    def let_another_be_faster(execute, sql, *arguments):
        if not overtaken and sql.startswith('UPDATE "pki_certificateauthority"'):
            overtaken.append(sql)
            rows = CertificateAuthority.objects.filter(pk=device_ca.pk)
            rows.update(crl_number=F("crl_number") + 1, crl_der=b"the other's")
        return execute(sql, *arguments)

    with connection.execute_wrapper(let_another_be_faster):
        parsed = listed(device_ca)

    assert overtaken
    assert number_of(parsed) == 2
    device_ca.refresh_from_db()
    assert bytes(device_ca.crl_der) == parsed.public_bytes(Encoding.DER)


def test_many_writers_never_give_two_lists_one_number(transactional_db, installation):
    ca = CertificateAuthority.objects.device().get()
    numbers = []

    def make_some():
        try:
            numbers.extend(number_of(listed(ca)) for _ in range(5))
        finally:
            connection.close()

    threads = [threading.Thread(target=make_some) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(numbers) == list(range(1, 16))


def test_openssl_verifies_the_list_and_heeds_it(device, device_ca, est_client, tmp_path):
    good = est_client.simpleenroll(make_csr("sensor-2", key=make_key(index=1))).certificate
    revoke(device)
    anchor = write_pem(tmp_path / "ca.pem", device_ca.certificate)
    list_file = write_pem(tmp_path / "crl.pem", listed(device_ca))

    said = openssl("crl", "-in", list_file, "-CAfile", anchor, "-verify", "-noout")
    assert "verify OK" in said.stdout + said.stderr

    def check(certificate):
        path = write_pem(tmp_path / "leaf.pem", certificate)
        return openssl("verify", "-crl_check", "-CAfile", anchor, "-CRLfile", list_file, path)

    assert check(good).returncode == 0
    assert "certificate revoked" in check(device.to_x509()).stderr


@pytest.mark.parametrize("algorithm", ["ec-p384", "ec-p521", "rsa-2048"])
def test_every_kind_of_key_signs_lists(db, data_dir, tmp_path, algorithm):
    ca = create_authority(
        Purpose.DEVICE,
        "other-ca",
        common_name="Other CA",
        key_algorithm=algorithm,
        validity=datetime.timedelta(days=30),
        signer="keyfile",
        actor=TESTER,
    )

    parsed = listed(ca)

    assert parsed.is_signature_valid(ca.certificate.public_key())
    assert parsed.issuer == ca.certificate.subject
    key_identifier = parsed.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    subject_key = ca.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    assert key_identifier.key_identifier == subject_key.value.key_identifier


def test_a_fresh_list_is_served_again(device_ca):
    first = current_crl(device_ca)
    device_ca.refresh_from_db()

    assert current_crl(device_ca) == first


def test_a_revocation_makes_a_new_list_at_once(device, device_ca):
    current_crl(device_ca)
    revoke(device)
    device_ca.refresh_from_db()

    parsed = x509.load_der_x509_crl(current_crl(device_ca))

    assert len(parsed) == 1


def test_a_revocation_that_was_committed_late_isnt_missed(device, device_ca):
    began = timezone.now()  # of the revoking transaction, which the list didn't see yet
    current_crl(device_ca)
    IssuedCertificate.objects.filter(pk=device.pk).update(state=State.REVOKED, revoked_at=began)
    device_ca.refresh_from_db()

    assert len(x509.load_der_x509_crl(current_crl(device_ca))) == 1


def test_a_list_is_renewed_before_checkers_find_it_old(device_ca):
    first = current_crl(device_ca)
    CertificateAuthority.objects.update(crl_made_at=timezone.now() - crl.FRESH)
    device_ca.refresh_from_db()

    assert current_crl(device_ca) != first
    assert crl.FRESH < crl.LIFETIME / 10


# Many who ask


@pytest.fixture
def signatures(monkeypatch):
    """The CRLs that were signed, as the CAs' names."""
    names = []
    sign = crl.make_crl

    def count(ca):
        names.append(ca.name)
        return sign(ca)

    monkeypatch.setattr(crl, "make_crl", count)
    return names


def fetch(stranger, times):
    return [stranger.request("GET", "/crl/device-ca.crl") for _ in range(times)]


def test_T49_after_a_revocation_sixty_requests_are_one_signature(device, stranger, signatures):
    revoke(device)

    answers = fetch(stranger, 60)

    assert signatures == ["device-ca"]
    assert len({answer.body for answer in answers}) == 1
    assert len(x509.load_der_x509_crl(answers[0].body)) == 1


def test_T49_threads_that_ask_at_once_wait_for_one_signature(
    transactional_db, installation, signatures
):
    ca = CertificateAuthority.objects.device().get()
    together = threading.Barrier(8)
    given = []

    def ask():
        try:
            together.wait()
            given.append(current_crl(ca))
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert signatures == ["device-ca"]
    assert len(given) == 8
    assert len({*given}) == 1


def test_T49_the_next_revocation_is_on_the_list_at_once(device, est_client, stranger, signatures):
    est_client.simpleenroll(make_csr("sensor-2", key=make_key(index=1)))
    for count, name in enumerate(("sensor-1", "sensor-2"), start=1):
        revoke(IssuedCertificate.objects.for_name(name).get())
        (answer,) = fetch(stranger, 1)
        assert len(x509.load_der_x509_crl(answer.body)) == count

    assert len(signatures) == 2


def test_T49_what_was_signed_is_given_for_seconds_only(device, stranger, signatures, monkeypatch):
    revoke(device)
    fetch(stranger, 2)
    monkeypatch.setattr(crl, "SHARED_SECONDS", 0.0)

    fetch(stranger, 1)

    assert len(signatures) == 2


def test_T49_a_signer_that_fails_is_asked_once_by_all_who_wait(
    device, device_ca, stranger, data_dir, signatures, monkeypatch
):
    revoke(device)
    keys = data_dir / "keys"
    keys.rename(data_dir / "away")
    get_signer.cache_clear()

    assert {answer.status_code for answer in fetch(stranger, 10)} == {404}
    assert len(signatures) == 1
    (data_dir / "away").rename(keys)
    get_signer.cache_clear()
    monkeypatch.setattr(crl, "SHARED_SECONDS", 0.0)
    assert {answer.status_code for answer in fetch(stranger, 1)} == {200}
    assert len(signatures) == 2


def test_each_ca_has_its_own_list(device_ca, client_ca, signatures):
    assert current_crl(device_ca) != current_crl(client_ca)
    assert sorted(signatures) == ["client-ca", "device-ca"]


def test_a_CA_whose_key_is_elsewhere_says_who_has_the_list(db, data_dir):
    theirs = make_ca("Their CA")
    ca = import_authority(
        Purpose.CLIENT, "theirs", [theirs.certificate], key=None, signer="", actor=TESTER
    )

    with pytest.raises(
        OperatorError, match=r"does not have the key of theirs\. Get the CRL from its"
    ):
        make_crl(ca)


def test_a_key_that_cant_be_read_is_said_in_a_sentence(device_ca, data_dir):
    for path in (data_dir / "keys").iterdir():
        path.unlink()

    get_signer.cache_clear()  # another process, then: this one has the key in memory
    with pytest.raises(OperatorError, match=r"cannot get at the key of device-ca \(.*No such file"):
        make_crl(device_ca)


def test_everybody_may_fetch_the_list(device, device_ca, stranger):
    revoke(device)

    response = stranger.request("GET", "/crl/device-ca.crl")

    assert response.status_code == 200
    assert response["Content-Type"] == "application/pkix-crl"
    assert len(x509.load_der_x509_crl(response.body)) == 1
