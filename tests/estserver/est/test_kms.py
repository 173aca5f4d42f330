"""A device CA in AWS KMS, seen by devices: one call a signature, and no fault loses anything."""

from dataclasses import replace

import pytest

from estserver.operations import health
from pki.authorities.bootstrap import bootstrap_cas
from pki.models import AuditEvent, CertificateAuthority, IssuedCertificate
from pki.revocation import crl
from tests.conftest import TESTER
from tests.support.aws_faults import Fault, Refusal, aws_calls, failing
from tests.support.builders import make_csr, make_key
from tests.support.est_client import ESTClient

State = IssuedCertificate.State
FAULTS = [*Fault, Refusal("DisabledException"), Refusal("KMSInvalidStateException")]


@pytest.fixture(params=["ec-p256", "rsa-2048"])
def door(request, aws_cloud, db, data_dir, settings):
    """An EST client of an installation whose device CA is in KMS."""
    plan = replace(settings.PKI.device_ca, signer="kms", key_algorithm=request.param)
    settings.PKI = replace(settings.PKI, device_ca=plan)
    bootstrap_cas(actor=TESTER)
    return ESTClient.from_files(data_dir / "test-client.pem")


def device_certificates():
    return IssuedCertificate.objects.filter(ca__purpose=CertificateAuthority.Purpose.DEVICE)


def test_a_device_enrolls_and_renews_with_one_call_each(door):
    with aws_calls() as calls:
        first = door.simpleenroll(make_csr("sensor-1"))
    assert calls == ["kms:Sign"]
    assert first.status_code == 200

    with aws_calls() as calls:
        renewed = door.using(first.certificate).simplereenroll(make_csr("sensor-1"))
    assert calls == ["kms:Sign"]
    assert renewed.status_code == 200


def test_cacerts_csrattrs_and_what_was_answered_before_make_no_call(door):
    csr = make_csr("sensor-1")
    before = door.simpleenroll(csr)

    with aws_calls() as calls:
        assert door.cacerts().status_code == 200
        assert door.csrattrs().status_code in (200, 204)
        again = door.simpleenroll(csr)
        refused = door.simpleenroll(b"not a CSR")

    assert calls == []
    assert again.certificate == before.certificate
    assert refused.status_code == 400


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: getattr(fault, "name", str(fault)))
@pytest.mark.parametrize("door", ["ec-p256"], indirect=True)
def test_a_fault_answers_503_keeps_the_intent_and_the_retry_issues_once(door, fault):
    csr = make_csr("sensor-1")

    with failing("kms", "Sign", fault, times=2) as failed:
        for _ in range(2):
            response = door.simpleenroll(csr)
            assert (response.status_code, response.reason) == (503, "signer-unavailable")
            assert int(response["Retry-After"]) > 0
            assert "kms" not in response.text.lower()
            assert "AWS" not in response.text
            intent = device_certificates().get()
            assert intent.state == State.INTENT
    assert failed.met == 2

    response = door.simpleenroll(csr)

    assert response.status_code == 200
    row = device_certificates().get()
    assert (row.pk, row.state) == (intent.pk, State.ISSUED)
    assert response.certificate == row.to_x509()
    assert door.simpleenroll(csr).certificate == response.certificate
    assert device_certificates().count() == 1
    assert (
        AuditEvent.objects.filter(action="issue", target__endswith=row.serial_number).count() == 1
    )


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("door", ["ec-p256"], indirect=True)
def test_a_renewal_that_failed_leaves_the_old_certificate_and_comes_again(door, fault):
    old = door.simpleenroll(make_csr("sensor-1")).certificate
    device, csr = door.using(old), make_csr("sensor-1", key=make_key(index=3))

    with failing("kms", "Sign", fault, times=1):
        assert device.simplereenroll(csr).status_code == 503
    assert device_certificates().get(state=State.ISSUED).to_x509() == old

    renewed = device.simplereenroll(csr)

    assert renewed.status_code == 200
    assert device_certificates().get(state=State.ISSUED).to_x509() == renewed.certificate
    assert device_certificates().get(state=State.SUPERSEDED).to_x509() == old


@pytest.mark.parametrize("door", ["ec-p256"], indirect=True)
def test_a_fault_that_passes_while_botocore_tries_again_is_never_seen(door):
    with failing("kms", "Sign", Fault.THROTTLE, attempts=2) as failed:
        response = door.simpleenroll(make_csr("sensor-1"))

    assert response.status_code == 200
    assert failed.met == 1


@pytest.mark.parametrize("door", ["ec-p256"], indirect=True)
def test_the_log_tells_operators_the_call_and_the_code(door, caplog):
    with failing("kms", "Sign", Fault.ACCESS_DENIED):
        door.simpleenroll(make_csr("sensor-1"))

    assert "kms:Sign failed with AccessDeniedException" in caplog.text


@pytest.mark.parametrize("door", ["ec-p256"], indirect=True)
def test_a_CRL_that_cant_be_signed_now_is_there_later(door, caplog):
    with failing("kms", "Sign", Fault.THROTTLE):
        response = door.request("GET", "/crl/device-ca.crl")
    assert (response.status_code, response.reason) == (503, "signer-unavailable")
    assert int(response["Retry-After"]) > 0
    assert "kms:Sign failed with ThrottlingException" in caplog.text
    crl.forget()  # as it does after some seconds

    assert door.request("GET", "/crl/device-ca.crl").status_code == 200


@pytest.mark.parametrize("door", ["ec-p256"], indirect=True)
def test_not_ready_while_KMS_is_out_of_reach(door):
    assert door.request("GET", "/readyz").status_code == 200
    health.forget()  # as it does after some seconds

    with failing("kms", "GetPublicKey", Fault.TIMEOUT):
        response = door.request("GET", "/readyz")

    assert (response.status_code, response.body) == (503, b"not ready\n")


@pytest.mark.parametrize("door", ["ec-p256"], indirect=True)
def test_strangers_who_ask_often_cost_one_call(door):
    with aws_calls() as calls:
        for _ in range(5):
            assert door.request("GET", "/readyz").status_code == 200

    assert calls == ["kms:GetPublicKey"]
