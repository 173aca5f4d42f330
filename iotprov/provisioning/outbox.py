"""The rows of the outbox: written in the transaction of the change that AWS IoT has to follow.

``leases`` is the workers' side of these rows.
"""

import datetime
import logging
import uuid
from collections.abc import Collection, Sequence
from typing import Any

from django.db.models import Case, DateTimeField, F, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from iotprov.conf import iot_settings
from iotprov.models import Provisioning
from pki.choices import IoTProvisioning
from pki.models import IssuedCertificate, hot_path_sql
from pki.operators.errors import OperatorError
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction, in_write_transactions

logger = logging.getLogger(__name__)

SWEEP = 500  # rows
SWEEP_BACK = datetime.timedelta(days=30)
"""How far back expired certificates are looked for: longer than a schedule is ever stopped."""

LONGEST_ERROR = 1000  # characters, as the column has them

State = Provisioning.State


# Writing rows


def enqueue_new(certificate_id: uuid.UUID) -> None:
    """Write a row at each target for a certificate that this transaction issues."""
    for target in iot_settings().targets:
        hot_path_sql.insert(Provisioning(certificate_id=certificate_id, target=target.name))


def enqueue(
    certificate_ids: Collection[uuid.UUID], *, is_urgent: bool, targets: Collection[str] = ()
) -> None:
    """Record, in the caller's transaction, that AWS IoT may no longer agree with the record.

    This holds for every target of the configuration, or for ``targets``. An existing row counts
    up its revision, so that a worker that is under way does not settle it.
    """
    now = timezone.now()
    names = targets or [target.name for target in iot_settings().targets]
    for certificate_id in certificate_ids:
        for name in names:
            row = Provisioning.objects.filter(certificate_id=certificate_id, target=name)
            changes = due_again(now) | ({"is_urgent": True} if is_urgent else {})
            if not row.update(**changes):
                hot_path_sql.insert(
                    Provisioning(certificate_id=certificate_id, target=name, is_urgent=is_urgent)
                )


def schedule(certificate_id: uuid.UUID, at: datetime.datetime) -> None:
    """Record, in the caller's transaction, that the desired state changes at ``at``.

    Nothing has to be done before that time. So a settled row stays settled, and a pending row is
    worked on in any case. A certificate that AWS IoT was never told of gets its row now.
    """
    sooner = Case(
        When(next_attempt_at__lt=at, then=F("next_attempt_at")),
        default=Value(at, output_field=DateTimeField()),
    )
    for target in iot_settings().targets:
        row = Provisioning.objects.filter(certificate_id=certificate_id, target=target.name)
        settled = row.filter(state=State.SETTLED)
        if settled.update(revision=F("revision") + 1, next_attempt_at=sooner):
            continue
        parked = row.filter(state=State.PARKED)
        if parked.update(**due_again(timezone.now()) | {"next_attempt_at": at}) or row.exists():
            continue
        hot_path_sql.insert(
            Provisioning(
                certificate_id=certificate_id,
                target=target.name,
                state=State.SETTLED,
                pending_since=None,
                next_attempt_at=at,
            )
        )


def hurry(target: str = "") -> int:
    """Make pending rows that wait for their next attempt due now; returns how many there are.

    An operator calls it after mending the cause. ``target`` limits it to the target of that name.
    """
    waiting = Provisioning.objects.pending()
    if target:
        waiting = waiting.filter(target=target)

    def find() -> list[uuid.UUID]:
        return list(waiting.values_list("pk", flat=True))

    def write(found: Sequence[uuid.UUID]) -> int:
        return waiting.filter(pk__in=found).update(next_attempt_at=timezone.now())

    return sum(in_write_transactions(in_write_transaction(find), write))


def due_again(now: datetime.datetime) -> dict[str, Any]:
    """Return the columns of a row that a worker has to look at again from ``now`` on."""
    return {
        "revision": F("revision") + 1,
        "state": State.PENDING,
        "attempts": 0,
        "next_attempt_at": now,
        "error": "",
        "pending_since": Coalesce("pending_since", now),
    }


def enqueue_expired() -> int:
    """Write rows for expired certificates without one, so that they are removed from AWS IoT.

    Only first certificates of JITP's devices lack a row; every other certificate got one when it
    was issued or changed. Returns how many there were, at most ``SWEEP`` at a time.
    """
    now = timezone.now()
    expired = IssuedCertificate.objects.filter(
        not_after__lte=now,
        not_after__gt=now - SWEEP_BACK,
        state=IssuedCertificate.State.ISSUED,
        profile__iot_provisioning=IoTProvisioning.JITP,
        provisionings=None,
    )

    def write() -> int:
        found = list(expired.values_list("pk", flat=True)[:SWEEP])
        enqueue(found, is_urgent=False)
        return len(found)

    return in_write_transaction(write)


# What an operator decides


def retry(row: Provisioning, *, actor: Actor, reason: str = "") -> None:
    """Make a row due now, whether it is parked or not."""
    _decide(row, "provisioning-retry", due_again(timezone.now()), actor=actor, reason=reason)


def park(row: Provisioning, *, actor: Actor, reason: str) -> None:
    """Park a row until an operator retries it or its desired state changes.

    Raises ``OperatorError`` without a reason.
    """
    if not reason.strip():
        raise OperatorError("Parking needs a reason. It is kept on the audit trail.")
    said = {"state": State.PARKED, "next_attempt_at": None, "revision": F("revision") + 1}
    _decide(
        row,
        "provisioning-park",
        {**said, "error": f"parked by {actor.name}: {reason}"[:LONGEST_ERROR]},
        actor=actor,
        reason=reason,
    )


def _decide(
    row: Provisioning, action: str, changes: dict[str, Any], *, actor: Actor, reason: str
) -> None:
    def write() -> None:
        before = Provisioning.objects.select_related("certificate").get(pk=row.pk)
        Provisioning.objects.filter(pk=row.pk).update(**changes)
        audit_trail.record(
            action,
            actor=actor,
            target=f"provisioning:{before.certificate.serial_number} at {before.target}",
            reason=reason,
            before={"state": before.state, "error": before.error},
        )

    in_write_transaction(write)
    row.refresh_from_db()
