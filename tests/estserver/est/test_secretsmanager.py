"""CAs in Secrets Manager, seen by devices: no call a signature, and no fault loses anything."""

import json
from dataclasses import replace

import pytest
from cryptography.x509 import load_pem_x509_certificate

from estserver.operations import health
from pki.authorities.bootstrap import bootstrap_cas
from pki.aws.clients import forget_clients
from pki.models import AuditEvent, CertificateAuthority, IssuedCertificate
from pki.record import snapshot
from pki.signers import get_signer
from tests.conftest import TESTER
from tests.support.aws_faults import Fault, aws_calls, failing
from tests.support.builders import make_csr, make_key
from tests.support.est_client import ESTClient
from tests.support.secrets_manager import CLIENT, CLIENT_PLAN, DEVICE_KEY, DEVICE_PLAN, SIGNERS, get

State = IssuedCertificate.State


@pytest.fixture
def door(aws_cloud, db, data_dir, settings):
    """An EST client of a deployed installation, which another process has bootstrapped."""
    settings.PKI = replace(
        settings.PKI, device_ca=DEVICE_PLAN, client_ca=CLIENT_PLAN, signers=SIGNERS
    )
    bootstrap_cas(actor=TESTER)
    start_new_process()
    certificate = json.loads(get(CLIENT))["certificate"]
    return ESTClient(load_pem_x509_certificate(certificate.encode()))


def start_new_process():
    get_signer.cache_clear()
    forget_clients()
    snapshot.forget()


def device_certificates():
    return IssuedCertificate.objects.filter(ca__purpose=CertificateAuthority.Purpose.DEVICE)


def test_the_first_signature_fetches_the_key_and_no_other_calls_anybody(door):
    with aws_calls() as calls:
        assert door.cacerts().status_code == 200
        assert door.csrattrs().status_code in (200, 204)
    assert calls == []

    with aws_calls() as calls:
        first = door.simpleenroll(make_csr("sensor-1"))
    assert (first.status_code, calls) == (200, ["secretsmanager:GetSecretValue"])

    with aws_calls() as calls:
        renewed = door.using(first.certificate).simplereenroll(make_csr("sensor-1"))
        others = [
            door.simpleenroll(make_csr(f"sensor-{n}", key=make_key("ec-p256", n)))
            for n in range(2, 6)
        ]
        assert door.cacerts().status_code == 200
    assert calls == []
    assert {response.status_code for response in (renewed, *others)} == {200}


@pytest.mark.parametrize("fault", Fault)
def test_a_fault_answers_503_keeps_the_intent_and_the_retry_issues_once(door, fault):
    csr = make_csr("sensor-1")

    with failing("secretsmanager", "GetSecretValue", fault, times=2) as failed:
        for _ in range(2):
            response = door.simpleenroll(csr)
            assert (response.status_code, response.reason) == (503, "signer-unavailable")
            assert int(response["Retry-After"]) > 0
            assert DEVICE_KEY not in response.text
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
    issued = AuditEvent.objects.filter(action="issue", target__endswith=row.serial_number)
    assert issued.count() == 1


def test_the_log_tells_operators_the_call_and_the_code(door, caplog):
    with failing("secretsmanager", "GetSecretValue", Fault.ACCESS_DENIED):
        door.simpleenroll(make_csr("sensor-1"))

    assert "secretsmanager:GetSecretValue failed with AccessDeniedException" in caplog.text


def test_not_ready_while_the_key_cant_be_had(door):
    with failing("secretsmanager", "GetSecretValue", Fault.TIMEOUT):
        response = door.request("GET", "/readyz")

    assert (response.status_code, response.body) == (503, b"not ready\n")
    health.forget()  # as it does after some seconds
    assert door.request("GET", "/readyz").status_code == 200


def test_T38_a_process_with_the_old_key_in_memory_signs_with_the_successors(door):
    door.simpleenroll(make_csr("sensor-1"))
    bootstrap_cas(actor=TESTER, force=True)

    response = door.simpleenroll(make_csr("sensor-2", key=make_key("ec-p256", 2)))

    successor = CertificateAuthority.objects.device().issuing().get()
    response.certificate.verify_directly_issued_by(successor.certificate)
