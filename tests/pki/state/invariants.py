"""What must hold in the database at any time, whatever happened before (invariants I1 to I10)."""

from collections import Counter

from cryptography import x509
from django.utils import timezone

from pki.models import AuditEvent, CertificateAuthority, IssuedCertificate
from pki.record import audit_trail

State = IssuedCertificate.State

LEFT_BEHIND = {
    State.INTENT: ["intent"],
    State.ISSUED: ["intent", "issue"],
    State.SUPERSEDED: ["intent", "issue", "supersede"],
    State.VOID: ["intent", "void"],
}
"""The audit rows of a certificate's life, by where it ended; revocation has two lives behind it."""


def check_invariants():
    """Assert everything that a look at the database alone can tell."""
    rows = list(IssuedCertificate.objects.exclude(operation="client").select_related("ca"))
    for row in rows:
        assert (row.der is None) == (row.state in (State.INTENT, State.VOID)), row
        if row.der is not None:
            _check_certificate(row)
    _check_current(rows)
    _check_audit(rows)


def _check_certificate(row):
    certificate = row.to_x509()
    assert f"{certificate.serial_number:x}" == row.serial_number
    assert certificate.not_valid_after_utc <= row.ca.certificate.not_valid_after_utc, "I10"


def _check_current(rows):
    """I3: serial numbers are unique. I4: at most one current certificate a name and profile."""
    serials = Counter((row.ca_id, row.serial_number) for row in rows)
    assert max(serials.values(), default=1) == 1, "I3"
    names = Counter((r.profile.name, r.name_folded) for r in rows if r.state == State.ISSUED)
    assert max(names.values(), default=1) == 1, "I4"
    for row in rows:
        assert (row.current_name is not None) == (row.state == State.ISSUED), row


def _check_audit(rows):
    """I5 and I8: each step forward has one row on the trail, and there are no others."""
    seen = {}
    trail = AuditEvent.objects.filter(target__startswith="certificate:").order_by("at")
    for action, target in trail.values_list("action", "target"):
        seen.setdefault(target.partition(":")[2], []).append(action)
    for row in rows:
        actions = sorted(seen.get(row.serial_number, []))
        if row.state == State.REVOKED:
            ends = (["intent", "issue", "revoke"], ["intent", "issue", "revoke", "supersede"])
            assert actions in ends, (row, actions)
        else:
            assert actions == LEFT_BEHIND[row.state], (row, row.state, actions)
    _, broken = audit_trail.verify()
    assert broken is None, (broken.event, broken.what)


def check_on_record(certificates):
    """I1: every certificate that was ever returned is on record, byte for byte."""
    for certificate in certificates:
        row = IssuedCertificate.objects.get(serial_number=f"{certificate.serial_number:x}")
        assert row.to_x509() == certificate
        assert row.state in (State.ISSUED, State.SUPERSEDED, State.REVOKED)


def check_signed(serial_numbers):
    """I2: every serial number that was ever signed has a row."""
    on_record = set(IssuedCertificate.objects.values_list("serial_number", flat=True))
    assert set(serial_numbers) <= on_record


def current_certificate(name) -> x509.Certificate | None:
    """The one current certificate of a thing name."""
    row = IssuedCertificate.objects.for_name(name).current(timezone.now()).first()
    return row.to_x509() if row else None


def device_authorities():
    """The device CAs, the active one first."""
    return CertificateAuthority.objects.device().order_by("status", "-created_at")
