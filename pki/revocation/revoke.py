"""Revoke certificates: they do not authenticate clients any more, and CRLs list their serials.

A key that another party knows is not good for any certificate. So a revocation for keyCompromise
also puts the key on the denylist, without an end.
"""

from collections.abc import Iterable

from cryptography import x509
from django.db.models import Q
from django.utils import timezone

from pki.csr.thing_names import shown
from pki.denylist.adding import write_for_good
from pki.denylist.entries import MAX_REASON, void_intents_of
from pki.denylist.values import normalize_serial_number
from pki.models import DenylistEntry, IssuedCertificate
from pki.operators.errors import OperatorError
from pki.record import audit_trail, observers
from pki.record.audit_trail import Actor
from pki.record.intents import void_in_chunks
from pki.record.transactions import in_write_transaction

FINGERPRINT_DIGITS = 64
"""Hexadecimal digits of a SHA-256. A serial number has 40 at most (RFC 5280 4.1.2.2)."""

State = IssuedCertificate.State

KEY_COMPROMISE = x509.ReasonFlags.key_compromise.value
HOLD = x509.ReasonFlags.certificate_hold.value

REASONS = tuple(
    reason.value
    for reason in x509.ReasonFlags
    if reason not in (x509.ReasonFlags.remove_from_crl, x509.ReasonFlags.certificate_hold)
)
"""The reason codes of RFC 5280 5.3.1 that a revocation can have, by name.

``removeFromCRL`` revokes nothing. ``certificateHold`` would have to end, and a revoked certificate
stays revoked in AWS IoT. Rows from before may have it.
"""

HOW_TO_HOLD = (
    "A revoked certificate never becomes valid again, so there is no hold. Put the device on the "
    "denylist until a day instead: manage.py deny, with --expires."
)


def check_revocation_reason(reason: str) -> None:
    """Raise ``OperatorError`` for a reason that a revocation cannot have."""
    if reason == HOLD:
        raise OperatorError(f"{HOLD} is not a reason to revoke. {HOW_TO_HOLD}")
    if reason not in REASONS:
        raise OperatorError(
            f"{reason!r} is not a reason of RFC 5280. Use one of: {', '.join(REASONS)}."
        )


def revoke_certificate(
    certificate: IssuedCertificate, *, reason: str, actor: Actor, comment: str = ""
) -> bool:
    """Revoke ``certificate`` for good, and return whether it was not revoked before.

    Nothing that it is authenticating at this moment is issued any more. This takes two commits, as
    in ``pki.denylist.entries``. The reason keyCompromise also denies the certificate's key for
    good, even if the certificate was revoked before. Raises ``OperatorError`` for a reason not in
    ``REASONS``, or a certificate that was never issued.
    """
    check_revocation_reason(reason)
    is_compromised = reason == KEY_COMPROMISE

    def revoke() -> bool:
        row = IssuedCertificate.objects.defer("csr_der", "der").get(pk=certificate.pk)
        if row.state == State.REVOKED:
            if is_compromised:
                _deny_key(row, actor=actor, comment=comment)
            return False
        changed = IssuedCertificate.objects.filter(
            pk=row.pk, state__in=[State.ISSUED, State.SUPERSEDED]
        ).update(
            state=State.REVOKED,
            revoked_at=timezone.now(),
            revocation_reason=reason,
            current_name=None,
            request_key=None,
        )
        if not changed:
            raise OperatorError(
                f"{row} was never issued ({row.state}). There is nothing to revoke."
            )
        audit_trail.record(
            "revoke",
            actor=actor,
            target=f"certificate:{row.serial_number}",
            reason=f"{reason}: {comment}" if comment else reason,
            before={"state": row.state, "name": row.common_name},
            after={"state": State.REVOKED},
        )
        for observer in observers.registered():
            observer.revoked(row)
        if is_compromised:
            _deny_key(row, actor=actor, comment=comment)
        return True

    # Step 1: the revocation becomes visible. Step 2: intents that it stops become void.
    revoked = in_write_transaction(revoke)
    stopped = IssuedCertificate.objects.filter(
        Q(client_fingerprint=certificate.fingerprint_sha256) | Q(predecessor=certificate)
    )
    why = "the client's certificate, or the one to be renewed, was revoked"
    void_in_chunks([(stopped, why)], actor=actor)
    if is_compromised:
        void_intents_of([(DenylistEntry.Kind.KEY, certificate.key_sha256)], actor=actor)
    certificate.refresh_from_db(fields=["state", "revoked_at", "revocation_reason"])
    return revoked


def _deny_key(row: IssuedCertificate, *, actor: Actor, comment: str) -> None:
    """Deny the key of a certificate for good, in the transaction that revokes the certificate."""
    reason = f"{KEY_COMPROMISE}: certificate {row.serial_number} of {row.common_name}"
    if comment:
        reason = f"{reason}: {comment}"[:MAX_REASON]
    write_for_good(DenylistEntry.Kind.KEY, row.key_sha256, reason=reason, actor=actor)


def revoke_certificates(
    certificates: Iterable[IssuedCertificate], *, reason: str, actor: Actor, comment: str = ""
) -> int:
    """Revoke ``certificates`` one by one, and return how many were not revoked before.

    Raises what ``revoke_certificate`` raises. Certificates before the failure stay revoked.
    """
    return sum(
        revoke_certificate(certificate, reason=reason, actor=actor, comment=comment)
        for certificate in certificates
    )


def find_certificate(text: str) -> IssuedCertificate:
    """Return the certificate with a serial number or SHA-256 fingerprint.

    ``text`` is hexadecimal with or without colons, or ``dec:`` and a decimal serial number. Raises
    ``OperatorError`` if no certificate is on record, or if two CAs issued the serial number.
    """
    certificates = IssuedCertificate.objects.defer("csr_der", "der").select_related("ca")
    fingerprint = text.strip().replace(":", "").lower()
    if len(fingerprint) == FINGERPRINT_DIGITS:
        found = list(certificates.filter(fingerprint_sha256=fingerprint))
    else:
        found = list(certificates.filter(serial_number=normalize_serial_number(text)))
    if not found:
        raise OperatorError(
            f"No certificate {shown(text)} is on record. Search for it in the web admin, or "
            "with manage.py find."
        )
    if len(found) > 1:
        fingerprints = ", ".join(f"{one.fingerprint_sha256} ({one.ca})" for one in found)
        raise OperatorError(
            "More than one certificate has that serial number. Give the fingerprint of one: "
            f"{fingerprints}."
        )
    return found[0]
