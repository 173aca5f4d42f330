"""What a message says: the event as JSON, as Standard Webhooks 1.0 recommends."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from django.utils import timezone

from estserver.models import Message, Webhook
from estserver.webhooks.events import Event
from estserver.webhooks.messages import RETRIED_FOR
from pki.models import AuditEvent, CertificateAuthority, IssuedCertificate

_CERTIFICATE = "certificate:"
_FIELDS = (
    *("serial_number", "common_name", "subject", "operation", "state", "fingerprint_sha256"),
    *("not_before", "not_after", "request_id", "revocation_reason"),
    *("ca__name", "profile__label", "predecessor__serial_number"),
)


def message_for(webhook: Webhook, event: Event) -> Message:
    """Return the row, not saved, that tells ``webhook`` of ``event``."""
    body = {"type": event.type.value, "timestamp": event.at.isoformat(), "data": event.data}
    now = timezone.now()
    return Message(
        channel=Message.Channel.WEBHOOK,
        webhook=webhook,
        once=f"{webhook.pk.hex}:{event.key}",
        event=event.type.value,
        body=json.dumps(body, separators=(",", ":"), default=str),
        created_at=now,
        next_attempt_at=now,
        give_up_at=now + RETRIED_FOR,
    )


def certificates_of(events: Iterable[AuditEvent]) -> dict[str, list[IssuedCertificate]]:
    """Return the certificates that events are about, by serial number, by one statement."""
    serials = {
        event.target.removeprefix(_CERTIFICATE)
        for event in events
        if event.target.startswith(_CERTIFICATE)
    }
    if not serials:
        return {}
    found: dict[str, list[IssuedCertificate]] = {}
    for row in shown(IssuedCertificate.objects.filter(serial_number__in=serials)):
        found.setdefault(row.serial_number, []).append(row)
    return found


def certificate_of(
    event: AuditEvent, among: Mapping[str, list[IssuedCertificate]]
) -> IssuedCertificate | None:
    """Return the certificate that an event is about. CAs may choose the same serial number."""
    rows = among.get(event.target.removeprefix(_CERTIFICATE), [])
    fingerprint = (event.after or {}).get("fingerprint")
    by_fingerprint = [row for row in rows if row.fingerprint_sha256 == fingerprint]
    state = (event.after or {}).get("state")
    by_state = [row for row in rows if row.state == state]
    return next(iter([*by_fingerprint, *by_state, *rows]), None)


def shown(rows: Any) -> Any:
    """Return a selection of certificates with what a message says of them, without their DER."""
    return rows.select_related("ca", "profile", "predecessor").only(*_FIELDS)


def certificate_data(row: IssuedCertificate) -> dict[str, Any]:
    """Return what is said of a certificate."""
    return {
        "thing_name": row.common_name,
        "serial_number": row.serial_number,
        "fingerprint_sha256": row.fingerprint_sha256 or "",
        "subject": row.subject,
        "not_before": row.not_before.isoformat(),
        "not_after": row.not_after.isoformat(),
        "ca": row.ca.name,
        "label": row.profile.label if row.profile else None,
        "operation": row.operation,
        "replaces": row.predecessor.serial_number if row.predecessor else None,
        "request_id": row.request_id,
    }


def authority_data(row: CertificateAuthority) -> dict[str, Any]:
    """Return what is said of a CA."""
    return {
        "ca": row.name,
        "purpose": row.purpose,
        "status": row.status,
        "subject": row.subject,
        "fingerprint_sha256": row.fingerprint_sha256,
        "not_after": row.not_after.isoformat(),
    }
