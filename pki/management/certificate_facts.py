"""A certificate on record as JSON values, for the commands."""

import datetime
from typing import Any

from pki.denylist.entries import entries_naming
from pki.denylist.identifiers import RequestIdentifiers
from pki.encoding.lint import lint
from pki.models import IssuedCertificate


def certificate_facts(row: IssuedCertificate) -> dict[str, Any]:
    """Return what a list shows of a certificate. Reads no DER."""
    from pki.admin.certificate_states import status_of  # a start of another command needs no page

    return {
        "id": str(row.pk),
        "status": status_of(row)[0].lower(),
        "state": row.state,
        "name": row.common_name,
        "serial_number": row.serial_number,
        "sha256": row.fingerprint_sha256,
        "ca": row.ca.name,
        "profile": str(row.profile) if row.profile else "",
        "operation": row.operation,
        "not_before": moment(row.not_before),
        "not_after": moment(row.not_after),
        "created_at": moment(row.created_at),
    }


def certificate_details(row: IssuedCertificate) -> dict[str, Any]:
    """Return all that is on record of a certificate."""
    denials = entries_naming(RequestIdentifiers.of_renewal(row))
    found = [] if row.der is None else lint(row.to_x509(), row.ca.certificate)
    return certificate_facts(row) | {
        "subject": row.subject,
        "san": row.san,
        "device_serial": row.device_serial,
        "key_algorithm": row.key_algorithm,
        "key_sha256": row.key_sha256,
        "issued_at": moment(row.issued_at),
        "superseded_at": moment(row.superseded_at),
        "revoked_at": moment(row.revoked_at),
        "revocation_reason": row.revocation_reason,
        "predecessor": row.predecessor.serial_number if row.predecessor else "",
        "client_subject": row.client_subject,
        "client_sha256": row.client_fingerprint,
        "source_ip": row.source_ip,
        "request_id": row.request_id,
        "denied_by": [f"{entry.kind} {entry.value}" for entry in denials],
        "findings": [f"{one.sentence} ({one.source})" for one in found],
    }


def moment(at: datetime.datetime | None) -> str | None:
    """Return a time as ISO 8601 in UTC."""
    return at.astimezone(datetime.UTC).isoformat(timespec="seconds") if at else None
