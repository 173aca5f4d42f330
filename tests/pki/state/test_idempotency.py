"""The same request again gets the same certificate, not a second one (T18)."""

import sqlite3
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from pki.csr.subjects import name_text
from pki.issuance.client_certificates import sign_client_csr
from pki.models import IssuedCertificate
from pki.record.audit_trail import Actor
from pki.record.intents import settle_intents
from pki.revocation.revoke import revoke_certificate
from tests.conftest import TESTER
from tests.pki.state.door import at_once
from tests.pki.state.invariants import check_invariants, check_on_record, check_signed
from tests.pki.state.signers import unavailable
from tests.support.builders import make_csr, make_key, make_name

State = IssuedCertificate.State


@pytest.fixture
def other_device(device):
    """A second client with a certificate of the client CA."""
    row = sign_client_csr(
        make_csr("other", key=make_key(index=9)), validity=timedelta(days=30), actor=TESTER
    )
    return device.using(row.to_x509())


@pytest.fixture
def clock(monkeypatch):
    """Moves time, for everything that asks Django for it."""
    real, offset = timezone.now, [timedelta()]
    monkeypatch.setattr(timezone, "now", lambda: real() + offset[0])

    def advance(step):
        offset[0] += step

    return advance


def test_T18_twenty_equal_requests_at_once_get_one_certificate(device, signer):
    csr = make_csr("sensor-1")

    replies = at_once(*[lambda: device.simpleenroll(csr)] * 20)

    assert {reply.status_code for reply in replies} == {200}
    assert len({reply.body for reply in replies}) == 1
    assert IssuedCertificate.objects.for_name("sensor-1").count() == 1
    assert len(set(signer.signed)) == 1
    check_invariants()


def test_T18_replay_within_the_window_gets_the_same_certificate(device, clock):
    csr = make_csr("sensor-1")
    first = device.simpleenroll(csr).certificate

    clock(timedelta(seconds=599))

    assert device.simpleenroll(csr).certificate == first


def test_T18_replay_after_the_window_gets_a_new_certificate(device, clock):
    csr = make_csr("sensor-1")
    first = device.simpleenroll(csr).certificate

    clock(timedelta(seconds=601))
    second = device.simpleenroll(csr).certificate

    assert second.serial_number != first.serial_number
    check_on_record([first, second])
    check_invariants()


def test_T18_replay_by_another_client_is_another_request(device, other_device):
    csr = make_csr("sensor-1")
    first = device.simpleenroll(csr)

    replay = other_device.simpleenroll(csr)

    assert first.status_code == 200
    assert replay.status_code == 403
    assert replay.reason == "name-bound-to-another"


def test_T18_replay_as_the_other_operation_is_another_request(device):
    csr = make_csr("sensor-1")
    first = device.simpleenroll(csr).certificate

    renewed = device.simplereenroll(csr).certificate

    assert renewed.serial_number != first.serial_number
    assert device.simplereenroll(csr).certificate == renewed


def test_T18_revoked_certificate_is_never_the_answer_to_a_replay(device):
    csr = make_csr("sensor-1")
    first = device.simpleenroll(csr).certificate
    row = IssuedCertificate.objects.for_name("sensor-1").get()
    revoke_certificate(row, reason="superseded", actor=TESTER)

    second = device.simpleenroll(csr).certificate

    assert second.serial_number != first.serial_number
    check_invariants()


def test_T18_intent_of_a_failed_signature_is_taken_up_by_the_retry(device, signer, monkeypatch):
    csr = make_csr("sensor-1")
    monkeypatch.setattr(signer, "before", staticmethod(unavailable))
    refused = device.simpleenroll(csr)
    intent = IssuedCertificate.objects.for_name("sensor-1").get()
    assert (refused.status_code, refused.reason) == (503, "signer-unavailable")
    assert "retry-after" in refused.headers
    assert intent.state == State.INTENT

    monkeypatch.setattr(signer, "before", staticmethod(lambda: None))
    certificate = device.simpleenroll(csr).certificate

    assert f"{certificate.serial_number:x}" == intent.serial_number
    assert IssuedCertificate.objects.for_name("sensor-1").count() == 1
    check_invariants()


def test_T18_a_renewal_taken_up_later_has_the_names_that_its_intent_recorded(
    device, signer, monkeypatch
):
    def csr(organization, key):
        subject = make_name("sensor-1", organization=organization)
        return make_csr(subject=subject, key=make_key(index=key))

    renewal = csr("ACME", 1)
    device.simpleenroll(csr("Acme", 0))
    monkeypatch.setattr(signer, "before", staticmethod(unavailable))
    assert device.simplereenroll(renewal).status_code == 503
    monkeypatch.setattr(signer, "before", staticmethod(lambda: None))
    device.simpleenroll(csr("aCmE", 2))  # another certificate is on file now

    certificate = device.simplereenroll(renewal).certificate

    assert certificate.subject == make_name("sensor-1", organization="Acme")
    row = IssuedCertificate.objects.get(serial_number=f"{certificate.serial_number:x}")
    assert row.subject == name_text(certificate.subject)
    check_invariants()


def test_T18_signature_that_was_lost_is_made_again_with_its_serial_number(
    device, signer, monkeypatch
):
    csr = make_csr("sensor-1")
    monkeypatch.setattr(signer, "after", staticmethod(unavailable))
    assert device.simpleenroll(csr).status_code == 503

    monkeypatch.setattr(signer, "after", staticmethod(lambda: None))
    device.simpleenroll(csr)

    assert len(signer.signed) == 2
    assert len(set(signer.signed)) == 1
    check_signed(signer.signed)


def test_I5_abandoned_intent_gives_its_name_to_what_was_issued_instead(
    device, other_device, signer, monkeypatch, clock
):
    monkeypatch.setattr(signer, "before", staticmethod(unavailable))
    device.simpleenroll(make_csr("sensor-1"))
    monkeypatch.setattr(signer, "before", staticmethod(lambda: None))
    certificate = device.simpleenroll(make_csr("sensor-1", key=make_key(index=1))).certificate

    clock(timedelta(hours=2))
    assert settle_intents() == 1

    owner = IssuedCertificate.objects.get(name_owner="sensor-1")
    assert owner.to_x509() == certificate
    assert other_device.simpleenroll(make_csr("sensor-1")).reason == "name-bound-to-another"
    check_invariants()


def test_I5_abandoned_name_is_free_for_the_next_client(
    device, other_device, signer, monkeypatch, clock
):
    monkeypatch.setattr(signer, "before", staticmethod(unavailable))
    device.simpleenroll(make_csr("sensor-1"))
    monkeypatch.setattr(signer, "before", staticmethod(lambda: None))
    csr = make_csr("sensor-1", key=make_key(index=1))
    assert other_device.simpleenroll(csr).reason == "name-bound-to-another"

    clock(timedelta(hours=2))
    settle_intents(actor=Actor("janitor"))

    assert other_device.simpleenroll(csr).status_code == 200


def test_T33_serial_number_that_clashes_is_drawn_again(device, monkeypatch):
    first = device.simpleenroll(make_csr("sensor-1")).certificate
    drawn = iter([first.serial_number, first.serial_number, first.serial_number - 1])
    monkeypatch.setattr("pki.record.intents.random_serial_number", lambda: next(drawn))

    second = device.simpleenroll(make_csr("sensor-2", key=make_key(index=1))).certificate

    assert second.serial_number == first.serial_number - 1
    check_invariants()


def test_I1_a_conflict_after_the_issued_update_leaves_no_half_record(device):
    """The whole step runs again, from what it was given and not from what it made of it."""
    conflicts = []

    def meet_another_writer(execute, statement, params, many, context):
        result = execute(statement, params, many, context)
        is_issued = statement.startswith('UPDATE "pki_issuedcertificate"') and '"der"' in statement
        if is_issued and not conflicts:
            cause = sqlite3.OperationalError("database is locked")
            cause.sqlite_errorcode = sqlite3.SQLITE_BUSY
            conflicts.append(cause)
        elif len(conflicts) == 1 and statement.startswith('INSERT INTO "pki_auditevent"'):
            conflicts.append(None)
            raise OperationalError(str(conflicts[0])) from conflicts[0]
        return result

    with connection.execute_wrapper(meet_another_writer):
        reply = device.simpleenroll(make_csr("sensor-1"))

    assert len(conflicts) == 2
    row = IssuedCertificate.objects.for_name("sensor-1").get()
    assert (row.state, row.to_x509()) == (State.ISSUED, reply.certificate)
    check_invariants()
