"""Let AWS IoT follow the end of trust in a device CA: the CA first, then its certificates.

The CA becomes INACTIVE, so that AWS IoT accepts no new device of it. Devices that AWS IoT knows
already stay connected until their own certificates are INACTIVE. These go through the outbox, in
chunks, by the schedule.
"""

import logging
import time
import uuid

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from iotprov.authorities import iot_authorities
from iotprov.authorities.ca_registration import (
    desired_registration,
    record_registration,
    refuse_registration_of_another,
)
from iotprov.authorities.registration import differences
from iotprov.conf import IoTTarget, find_target, iot_settings
from iotprov.models import CARegistration, CAWithdrawal
from iotprov.provisioning import outbox
from iotprov.provisioning.desired_state import Mode
from pki.models import CertificateAuthority, IssuedCertificate
from pki.operators.errors import OperatorError
from pki.record import due_work
from pki.record.audit_trail import SYSTEM
from pki.record.transactions import in_write_transaction

logger = logging.getLogger(__name__)

CHUNK = 200
"""Certificates that one transaction writes into the outbox."""

SECONDS = 10.0
"""How long one call of ``continue_withdrawals`` begins new chunks."""

_LIVE_STATES = (IssuedCertificate.State.ISSUED, IssuedCertificate.State.SUPERSEDED)


def begin_withdrawal(ca: CertificateAuthority) -> None:
    """Record, in the caller's transaction, that every target has to follow the CA's state."""
    if ca.purpose != CertificateAuthority.Purpose.DEVICE:
        return  # AWS IoT knows no client CA
    due_work.announce(timezone.now())
    for target in iot_settings().targets:
        begun_before = CAWithdrawal.objects.filter(ca=ca, target=target.name).update(
            revision=F("revision") + 1,
            is_ca_inactive=False,
            walked_to=None,
            are_certificates_enqueued=False,
            error="",
        )
        if not begun_before:
            CAWithdrawal.objects.create(ca=ca, target=target.name)


def open_withdrawals() -> "QuerySet[CAWithdrawal]":
    """Return the rows of CAs that a target has not followed yet. All of them are due."""
    return CAWithdrawal.objects.filter(Q(is_ca_inactive=False) | Q(are_certificates_enqueued=False))


def continue_withdrawals(*, seconds: float = SECONDS) -> int:
    """Go on with every CA that a target has not followed yet; return how many are left.

    A failure is kept in its row and stops no other row. The next call tries again.
    """
    end = time.monotonic() + seconds
    open_rows = open_withdrawals()
    for row in open_rows.select_related("ca"):
        # Step 1: the certificates, which need no call here. They are what disconnects devices.
        while not row.are_certificates_enqueued and time.monotonic() < end:
            _enqueue_chunk(row)
        # Step 2: the CA.
        if not row.is_ca_inactive and time.monotonic() < end:
            _make_ca_inactive(row)
    return open_rows.count()


def _enqueue_chunk(row: CAWithdrawal) -> None:
    """Write the outbox rows of the next certificates, and how far the walk has come."""

    def write() -> tuple[uuid.UUID | None, bool]:
        found = list(_certificates_after(row)[:CHUNK]) if row.ca.are_certificates_stopped else []
        outbox.enqueue(found, is_urgent=True, targets=[row.target])
        walked_to, is_done = (found[-1] if found else row.walked_to), len(found) < CHUNK
        # Conditional: what becomes of them may have been changed, which begins the walk anew.
        CAWithdrawal.objects.filter(pk=row.pk, revision=row.revision).update(
            walked_to=walked_to, are_certificates_enqueued=is_done
        )
        return walked_to, is_done

    row.walked_to, row.are_certificates_enqueued = in_write_transaction(write)


def _certificates_after(row: CAWithdrawal) -> "QuerySet[IssuedCertificate, uuid.UUID]":
    """Return the ids of the CA's certificates that AWS IoT may hold, after those walked through."""
    certificates = (
        IssuedCertificate.objects.filter(
            ca=row.ca_id, state__in=_LIVE_STATES, not_after__gt=timezone.now()
        )
        .exclude(profile=None)
        .exclude(profile__iot_provisioning=Mode.NONE)
        .order_by("pk")
    )
    if row.walked_to is not None:
        certificates = certificates.filter(pk__gt=row.walked_to)
    return certificates.values_list("pk", flat=True)


def _make_ca_inactive(row: CAWithdrawal) -> None:
    target = find_target(row.target)
    error = ""
    try:
        if target is not None:  # else the configuration does not name it any more
            _follow(row.ca, target)
    except OperatorError as failure:
        logger.warning("making %s INACTIVE failed: %s", row, failure)
        error = str(failure)[:1000]
    rows = CAWithdrawal.objects.filter(pk=row.pk, revision=row.revision)
    in_write_transaction(lambda: rows.update(is_ca_inactive=not error, error=error))


def _follow(ca: CertificateAuthority, target: IoTTarget) -> None:
    """Make the CA's registration as its state says, if the target knows it.

    ``register_ca`` would refuse a CA that has expired, which AWS IoT may hold all the same. Raises
    ``OperatorError``.
    """
    known = CARegistration.objects.filter(ca=ca, target=target.name).first()
    found = iot_authorities.find_registered(
        ca.certificate, target, known_id=known.certificate_id if known else ""
    ).found
    if found is None:
        return
    desired = desired_registration(ca)
    if differences(found, desired):
        refuse_registration_of_another(ca, target, found)
    registered = iot_authorities.update(found, desired, target)
    record_registration(ca, target, registered, note="", actor=SYSTEM)
