"""A revocation that races with a renewal leaves no signed intent behind (T57)."""

from time import sleep

import pytest
from cryptography import x509
from django.db import connection

from pki.models import AuditEvent, CertificateAuthority, IssuedCertificate
from pki.revocation.crl import make_crl
from pki.revocation.revoke import revoke_certificate
from tests.conftest import TESTER
from tests.pki.state.door import Crew
from tests.pki.state.invariants import check_invariants
from tests.pki.state.test_races import ROUNDS, persistently
from tests.support.builders import make_csr, make_key

State = IssuedCertificate.State


def enrolled(device, name, key):
    """The certificate of a device, and its row."""
    certificate = device.simpleenroll(make_csr(name, key=make_key(index=key))).certificate
    serial_number = f"{certificate.serial_number:x}"
    return certificate, IssuedCertificate.objects.get(serial_number=serial_number)


def on_the_crl():
    """The serial numbers on the device CA's CRL, in hex."""
    ca = CertificateAuthority.objects.device().get()
    return {f"{entry.serial_number:x}" for entry in x509.load_der_x509_crl(make_crl(ca))}


@pytest.mark.timeout(600 + ROUNDS)
@pytest.mark.parametrize("by", ["device", "bound client"])
def test_T57_a_race_of_revoke_and_renew_leaves_no_signed_intent(device, signer, by):
    with Crew(2) as pair:
        for number in range(ROUNDS // 3):
            certificate, row = enrolled(device, f"sensor-{number}", 2 * number)
            client = device.using(certificate) if by == "device" else device
            csr = make_csr(f"sensor-{number}", key=make_key(index=2 * number + 1))

            def revoke(row=row, delay=(number % 15) / 1000):
                sleep(delay)
                persistently(lambda: revoke_certificate(row, reason="superseded", actor=TESTER))

            pair.at_once(lambda client=client, csr=csr: client.simplereenroll(csr), revoke)

            assert not IssuedCertificate.objects.filter(state=State.INTENT).exists()
    rows = IssuedCertificate.objects.filter(serial_number__in=signer.signed)
    live = rows.live().values_list("serial_number", flat=True)
    assert {*signer.signed} - {*live} == on_the_crl()
    check_invariants()


@pytest.mark.parametrize("by", ["device", "bound client"])
def test_T57_a_revocation_after_the_intent_makes_it_void_at_once(device, signer, monkeypatch, by):
    certificate, row = enrolled(device, "sensor-1", 1)
    client = device.using(certificate) if by == "device" else device

    def revoke_without_its_second_commit():
        """As if the intent had been written after that, which PostgreSQL allows."""
        IssuedCertificate.objects.filter(pk=row.pk).update(state=State.REVOKED, current_name=None)

    monkeypatch.setattr(signer, "after", staticmethod(revoke_without_its_second_commit))
    refused = client.simplereenroll(make_csr("sensor-1", key=make_key(index=2)))

    reason = "client-certificate-revoked" if by == "device" else "nothing-to-renew"
    assert (refused.status_code, refused.reason) == (403, reason)
    (intent,) = IssuedCertificate.objects.for_name("sensor-1").exclude(pk=row.pk)
    assert (intent.state, intent.der) == (State.VOID, None)
    assert intent.serial_number in on_the_crl()
    event = AuditEvent.objects.get(action="void", target=f"certificate:{intent.serial_number}")
    assert event.reason == f"refused after its signature: {reason}"


def test_T57_a_client_revoked_before_the_intent_gets_nothing_signed(device, signer):
    certificate, row = enrolled(device, "sensor-1", 1)
    signer.signed.clear()

    def revoke_once_it_is_authenticated(execute, sql, *arguments):
        result = execute(sql, *arguments)
        if sql.endswith(" WHERE fingerprint_sha256 = %s") and not signer.signed:
            revoke_certificate(row, reason="superseded", actor=TESTER)
            signer.signed.append("nothing yet")
        return result

    with connection.execute_wrapper(revoke_once_it_is_authenticated):
        refused = device.using(certificate).simplereenroll(make_csr("sensor-1"))

    assert (refused.status_code, refused.reason) == (403, "client-certificate-revoked")
    assert signer.signed == ["nothing yet"]
    assert not IssuedCertificate.objects.filter(state__in=[State.INTENT, State.VOID]).exists()
