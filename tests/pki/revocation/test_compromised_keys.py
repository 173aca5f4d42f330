"""Revoking for keyCompromise ends the key: no certificate over it is good or issued (T44)."""

import datetime
from dataclasses import replace
from importlib import import_module

import pytest
from cryptography import x509
from django.apps import apps
from django.db import OperationalError, connection
from django.utils import timezone

from iotprov.models import Provisioning
from iotprov.provisioning.desired_state import Goal, desired_state
from iotprov.provisioning.record_facts import read_facts
from pki.denylist.entries import allow, deny
from pki.exceptions import Busy, DeviceDenied
from pki.issuance.client_certificates import sign_client_csr
from pki.models import AuditEvent, CertificateProfile, DenylistEntry, IssuedCertificate
from pki.operators.errors import OperatorError
from pki.revocation.crl import make_crl
from pki.revocation.revoke import revoke_certificate
from pki.signers import get_signer
from tests.conftest import TESTER
from tests.support.builders import make_csr, make_key

State = IssuedCertificate.State
MIGRATION = import_module("pki.migrations.0010_compromised_keys")
OUTBOX_MIGRATION = import_module("iotprov.migrations.0003_compromised_keys")
NEXT_WEEK = timezone.now() + datetime.timedelta(days=7)


def csr(name="sensor-1", key=400, **parts):
    return make_csr(name, key=make_key("ec-p256", key), **parts)


def row_of(certificate):
    return IssuedCertificate.objects.get(serial_number=f"{certificate.serial_number:x}")


def revoke(row, reason="keyCompromise"):
    return revoke_certificate(row, reason=reason, actor=TESTER)


@pytest.fixture
def pair(est_client):
    """Two certificates of a device over one key: the superseded one, and the current one."""
    first = est_client.simpleenroll(csr()).certificate
    return first, est_client.using(first).simplereenroll(csr()).certificate


def test_T44_the_key_goes_on_the_denylist_for_good(pair):
    revoke(row_of(pair[0]))

    entry = DenylistEntry.objects.get()
    assert (entry.kind, entry.value) == ("key", row_of(pair[0]).key_sha256)
    assert (entry.expires_at, entry.created_by) == (None, "test")
    event = AuditEvent.objects.get(action="deny")
    assert event.target == f"key:{entry.value}"
    assert event.reason == entry.reason


@pytest.mark.parametrize("which", [0, 1])
def test_T44_no_other_certificate_over_the_key_authenticates(est_client, pair, which):
    revoke(row_of(pair[which]))
    other = est_client.using(pair[1 - which])

    for operation in (other.simplereenroll, other.simpleenroll):
        refused = operation(csr(key=401))
        assert (refused.status_code, refused.reason) == (403, "device-denied")


def test_T44_no_csr_over_the_key_is_signed_new_or_replayed(est_client, change_default_profile):
    change_default_profile(is_key_unique=False)
    replayed = csr()
    revoke(row_of(est_client.simpleenroll(replayed).certificate))
    count = IssuedCertificate.objects.count()

    for request in (replayed, csr(), csr("sensor-2")):
        for operation in (est_client.simpleenroll, est_client.simplereenroll):
            assert operation(request).reason == "device-denied"
    assert IssuedCertificate.objects.count() == count
    assert est_client.simpleenroll(csr(key=401)).status_code == 200


def test_T44_other_certificates_over_the_key_become_inactive_in_aws_iot(pair):
    CertificateProfile.objects.update(iot_provisioning="register")
    revoked, other = map(row_of, pair)
    Provisioning.objects.all().delete()

    revoke(revoked)

    assert {*Provisioning.objects.values_list("certificate_id", "state", "is_urgent")} == {
        (revoked.pk, "pending", True),
        (other.pk, "pending", True),
    }
    at = timezone.now()
    assert desired_state(read_facts(revoked.pk, "default", at), at).goal is Goal.REVOKED
    assert desired_state(read_facts(other.pk, "default", at), at).goal is Goal.SUSPENDED


@pytest.mark.parametrize("reason", ["superseded", "cessationOfOperation", "cACompromise"])
def test_T44_another_reason_denies_nothing(est_client, pair, reason):
    revoke(row_of(pair[0]), reason)

    assert not DenylistEntry.objects.exists()
    assert est_client.using(pair[1]).simplereenroll(csr()).status_code == 200


def test_T44_the_entry_is_lifted_as_any_other(est_client, pair):
    row = row_of(pair[0])
    revoke(row)

    assert allow("key", row.key_sha256, reason="the wrong key", actor=TESTER)

    assert est_client.using(pair[1]).simplereenroll(csr()).status_code == 200


def test_T44_an_entry_with_an_end_loses_it(pair):
    row = row_of(pair[0])
    deny("key", row.key_sha256, reason="lent", actor=TESTER, expires_at=NEXT_WEEK)

    revoke(row)

    assert DenylistEntry.objects.get().expires_at is None
    event = AuditEvent.objects.exclude(before=None).get(action="deny")
    assert event.before == {"reason": "lent", "expires_at": NEXT_WEEK.isoformat()}


def test_T44_an_entry_for_good_keeps_its_reason(pair):
    row = row_of(pair[0])
    deny("key", row.key_sha256, reason="seen on a forum", actor=TESTER)

    revoke(row)

    assert DenylistEntry.objects.get().reason == "seen on a forum"


def test_T44_a_certificate_revoked_before_has_its_key_denied_all_the_same(pair):
    row = row_of(pair[0])
    revoke(row, "superseded")

    assert not revoke(row)

    row.refresh_from_db()
    assert row.revocation_reason == "superseded"
    assert DenylistEntry.objects.get().value == row.key_sha256


def test_T44_what_was_never_issued_denies_no_key(pair):
    row = row_of(pair[0])
    IssuedCertificate.objects.filter(pk=row.pk).update(state=State.VOID)

    with pytest.raises(OperatorError, match="was never issued"):
        revoke(row)

    assert not DenylistEntry.objects.exists()


def test_T44_an_entry_that_cannot_be_written_revokes_nothing(pair):
    row = row_of(pair[0])

    def fail_at_the_entry(execute, sql, *arguments):
        if sql.startswith('INSERT INTO "pki_denylistentry"'):
            raise OperationalError("disk full")
        return execute(sql, *arguments)

    with connection.execute_wrapper(fail_at_the_entry), pytest.raises(Busy):
        revoke(row)

    row.refresh_from_db()
    assert row.state == State.SUPERSEDED


def test_T44_a_key_that_is_compromised_during_the_signature_gets_nothing(
    est_client, pair, settings
):
    signers = {"keyfile": {"BACKEND": "tests.support.plugins.WatchedSigner"}}
    settings.PKI = replace(settings.PKI, signers=signers)
    get_signer.cache_clear()
    get_signer("keyfile").before_signature = lambda: revoke(row_of(pair[0]))

    refused = est_client.using(pair[1]).simplereenroll(csr())

    assert refused.reason == "device-denied"
    assert not IssuedCertificate.objects.filter(state=State.INTENT).exists()


def test_T44_no_client_certificate_over_the_key_is_signed_by_command(est_client, settings, pair):
    def sign():
        return sign_client_csr(csr("line-1"), validity=datetime.timedelta(days=30), actor=TESTER)

    signers = {"keyfile": {"BACKEND": "tests.support.plugins.WatchedSigner"}}
    settings.PKI = replace(settings.PKI, signers=signers)
    get_signer.cache_clear()
    signer = get_signer("keyfile")

    def only_its_first_commit():
        DenylistEntry.objects.create(
            kind="key", value=row_of(pair[0]).key_sha256, reason="r", created_by="test"
        )

    signer.before_signature = only_its_first_commit
    with pytest.raises(DeviceDenied, match="names this public key"):
        sign()
    row = IssuedCertificate.objects.get(common_name="line-1")
    assert (row.state, row.der) == (State.VOID, None)
    signed = signer.signatures
    with pytest.raises(DeviceDenied, match="names this public key"):
        sign()
    assert signer.signatures == signed


def test_T44_the_migration_denies_keys_that_were_compromised_before(est_client, pair):
    row, other = map(row_of, pair)
    for name, key in (("sensor-2", 402), ("sensor-3", 403)):
        revoke(row_of(est_client.simpleenroll(csr(name, key)).certificate), "superseded")
    lent = row_of(est_client.simpleenroll(csr("sensor-4", 404)).certificate)
    for compromised in (row, lent):
        revoke(compromised)
    DenylistEntry.objects.all().delete()
    deny("key", lent.key_sha256, reason="lent", actor=TESTER, expires_at=NEXT_WEEK)
    CertificateProfile.objects.update(iot_provisioning="register")

    for _ in range(2):
        MIGRATION.deny_compromised_keys(apps, None)
    OUTBOX_MIGRATION.enqueue_certificates(apps, None)

    entries = DenylistEntry.objects.order_by("created_at")
    assert {*entries.values_list("kind", "value", "expires_at")} == {
        ("key", row.key_sha256, None),
        ("key", lent.key_sha256, None),
    }
    assert AuditEvent.objects.filter(actor="system", reason__startswith="Upgrade").count() == 2
    assert est_client.using(pair[1]).simplereenroll(csr(key=405)).reason == "device-denied"
    (outbox,) = Provisioning.objects.all()
    assert (outbox.certificate_id, outbox.state, outbox.is_urgent) == (other.pk, "pending", True)
    Provisioning.objects.update(state="settled", next_attempt_at=None, pending_since=None)
    OUTBOX_MIGRATION.enqueue_certificates(apps, None)
    (outbox,) = Provisioning.objects.all()
    assert (outbox.state, outbox.revision) == ("pending", 2)


def test_rows_with_the_old_reason_certificateHold_stay_readable(pair, device_ca):
    row = row_of(pair[0])
    revoke(row, "superseded")
    IssuedCertificate.objects.filter(pk=row.pk).update(revocation_reason="certificateHold")

    (entry,) = x509.load_der_x509_crl(make_crl(device_ca))
    reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    assert reason is x509.ReasonFlags.certificate_hold
