"""Every certificate's state has its rows on the audit trail, and the trail shows it when not."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from pki.authorities.bootstrap import bootstrap_cas
from pki.models import AuditEvent, IssuedCertificate
from pki.record import audit_states, audit_trail
from pki.record.audit_states import MOST_NAMED, compare_states, is_emptied
from pki.record.intents import void_intents
from pki.record.transactions import in_write_transaction
from pki.revocation.revoke import revoke_certificate
from tests.conftest import TESTER
from tests.support.builders import make_csr, make_key

State = IssuedCertificate.State


def sql(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def forget_rows(*, action, certificate):
    sql(
        "DELETE FROM pki_auditevent WHERE action = %s AND target = %s",
        action,
        f"certificate:{certificate.serial_number}",
    )


@pytest.fixture
def life(est_client):
    """One certificate in each state, by its state."""
    for number, name in enumerate(("issued", "revoked", "void", "intent", "superseded")):
        est_client.simpleenroll(make_csr(name, key=make_key(index=number)))
    # The two intents are made of issued certificates; their rows are as if no more had happened.
    for name in ("void", "intent"):
        IssuedCertificate.objects.for_name(name).update(state=State.INTENT, current_name=None)
        forget_rows(action="issue", certificate=IssuedCertificate.objects.for_name(name).get())
    voided = IssuedCertificate.objects.for_name("void")
    in_write_transaction(lambda: void_intents(voided, actor=TESTER, why="test"))
    revoke_certificate(
        IssuedCertificate.objects.for_name("revoked").get(), reason="superseded", actor=TESTER
    )
    est_client.simplereenroll(make_csr("superseded", key=make_key(index=5)))
    return {
        row.state: row for row in IssuedCertificate.objects.exclude(name_folded="superseded")
    } | {State.SUPERSEDED: IssuedCertificate.objects.get(state=State.SUPERSEDED)}


def test_T48_every_state_agrees_with_the_rows_that_it_came_with(life):
    assert {*life} == {*State}

    assert not compare_states()


@pytest.mark.parametrize(
    ("state", "action"),
    [
        (State.INTENT, "intent"),
        (State.ISSUED, "issue"),
        (State.SUPERSEDED, "issue"),
        (State.SUPERSEDED, "supersede"),
        (State.REVOKED, "issue"),
        (State.REVOKED, "revoke"),
        (State.VOID, "void"),
    ],
)
def test_T48_a_state_whose_row_is_gone_is_named(life, state, action):
    certificate = life[state]

    forget_rows(action=action, certificate=certificate)

    found = compare_states()
    assert found.count == 1
    assert str(found) == (
        f"{certificate.common_name} ({certificate.serial_number}) is {state}, "
        f"and the trail has no row '{action}'"
    )


@pytest.mark.parametrize(
    ("state", "claimed", "contradicted_by"),
    [
        (State.REVOKED, State.ISSUED, "revoke"),
        (State.REVOKED, State.SUPERSEDED, ""),
        (State.SUPERSEDED, State.ISSUED, "supersede"),
        (State.VOID, State.INTENT, "void"),
        (State.ISSUED, State.INTENT, "issue"),
    ],
)
def test_T48_a_state_that_was_set_back_in_the_database_is_named(
    life, state, claimed, contradicted_by
):
    IssuedCertificate.objects.filter(pk=life[state].pk).update(state=claimed)

    found = compare_states()
    assert found.count == 1
    assert contradicted_by in str(found)


def test_T48_a_certificate_that_was_deleted_is_named(life):
    certificate = life[State.ISSUED]

    IssuedCertificate.objects.filter(pk=certificate.pk).delete()

    assert str(compare_states()) == (
        f"{certificate.serial_number} was issued by the trail, and is not on record"
    )


def test_T48_of_many_the_first_are_named_and_all_are_counted(est_client, monkeypatch):
    monkeypatch.setattr(audit_states, "BATCH", 7)
    for number in range(MOST_NAMED + 3):
        est_client.simpleenroll(make_csr(f"sensor-{number:02}", key=make_key(index=number)))
    assert not compare_states()

    sql("DELETE FROM pki_auditevent WHERE action = 'issue'")

    found = compare_states()
    assert found.count == len(IssuedCertificate.objects.exclude(state=State.INTENT))
    assert len(found.first) == MOST_NAMED
    assert str(found).endswith(f"; and {found.count - MOST_NAMED} more")


def test_the_number_of_statements_does_not_grow_with_each_certificate(est_client):
    def statements():
        with CaptureQueriesContext(connection) as captured:
            compare_states()
        return len(captured)

    est_client.simpleenroll(make_csr("sensor-0"))
    before = statements()
    for number in range(1, 20):
        est_client.simpleenroll(make_csr(f"sensor-{number}", key=make_key(index=number)))

    assert statements() == before


def test_one_serial_number_of_two_cas_is_no_disagreement(life, client_ca):
    """Two CAs of a customer's PKI may both count from 1."""
    twin = IssuedCertificate.objects.get(pk=life[State.REVOKED].pk)
    twin.pk, twin.ca, twin.state = None, client_ca, State.ISSUED
    twin.fingerprint_sha256 = twin.name_owner = twin.key_owner = twin.request_key = None
    twin._state.adding = True
    twin.save()

    assert not compare_states()


def test_a_certificate_that_is_issued_meanwhile_is_no_disagreement(est_client, monkeypatch):
    est_client.simpleenroll(make_csr("sensor-1"))
    read = audit_states._certificates

    def read_and_be_overtaken():
        (batch,) = read()
        # Between the states and the trail: a renewal supersedes the certificate.
        est_client.simplereenroll(make_csr("sensor-1", key=make_key(index=1)))
        yield batch

    monkeypatch.setattr(audit_states, "_certificates", read_and_be_overtaken)

    assert not compare_states()


def test_T48_an_empty_trail_is_suspicious_beside_a_ca_and_fine_before(db, data_dir):
    assert not is_emptied()
    bootstrap_cas(actor=TESTER)
    assert not is_emptied()

    sql("DELETE FROM pki_auditevent")

    assert is_emptied()
    assert audit_trail.verify() == (0, None)  # the chains alone don't show it
    assert not AuditEvent.objects.exists()
