"""What the record says of a certificate or key: issued here, its key known, denied."""

from collections.abc import Sequence

from django.db.models import Model

from estserver.tools.inspected import Finding, Inspected
from pki.denylist.entries import entries_naming
from pki.denylist.identifiers import RequestIdentifiers
from pki.denylist.kinds import find_kind
from pki.models import CertificateAuthority, IssuedCertificate
from pki.models.certificate import IssuedCertificateQuerySet

MOST_ROWS = 20
"""Rows of one kind that an inspection names."""


def say_certificate(
    inspected: Inspected, fingerprint: str, key_sha256: str, serial_number: str
) -> None:
    """Add what is on record of a certificate, and of its key."""
    rows = list(_certificates().filter(fingerprint_sha256=fingerprint))
    authorities = list(CertificateAuthority.objects.filter(fingerprint_sha256=fingerprint))
    _add(inspected, [*rows, *authorities])
    for row in rows:
        inspected.findings.append(_of_row(row))
    for ca in authorities:
        inspected.findings.append(
            Finding("OK", f"It is the CA {ca}. {ca.get_status_display().partition(':')[0]}.")
        )
    if rows or authorities:
        return
    namesakes = list(_certificates().filter(serial_number=serial_number)[:MOST_ROWS])
    if namesakes:
        _add(inspected, namesakes)
        inspected.findings.append(
            Finding(
                "WARN",
                "It is not on record, but a certificate with its serial number is.",
                "Compare both. A serial number of another CA may be the same by chance.",
            )
        )
    else:
        inspected.findings.append(Finding("OK", "It is not on record: it was not issued here."))
    say_key(inspected, key_sha256)


def say_key(inspected: Inspected, key_sha256: str) -> None:
    """Add which certificates have the key."""
    rows = list(_certificates().filter(key_sha256=key_sha256).order_by("-id")[:MOST_ROWS])
    _add(inspected, rows)
    if not rows:
        inspected.findings.append(Finding("OK", "Its key is not on record."))
        return
    names = ", ".join(dict.fromkeys(row.common_name for row in rows))
    inspected.findings.append(Finding("OK", f"Its key is on record, for {names}."))


def say_denied(inspected: Inspected, identifiers: RequestIdentifiers) -> None:
    """Add the entries of the denylist in force that would stop a request with it."""
    entries = entries_naming(identifiers)
    _add(inspected, entries)
    inspected.findings.extend(
        Finding(
            "FAIL",
            f"The denylist names this {find_kind(entry.kind).refused} ({entry.reason}).",
            f"To take it off: manage.py allow {entry.kind} {entry.value} --reason ...",
        )
        for entry in entries
    )
    if not entries:
        inspected.findings.append(Finding("OK", "No entry of the denylist names it."))


def _certificates() -> IssuedCertificateQuerySet:
    return IssuedCertificate.objects.defer("der", "csr_der").select_related("ca")


def _of_row(row: IssuedCertificate) -> Finding:
    issued = f"It was issued here to {row.common_name}"
    if row.state == IssuedCertificate.State.REVOKED:
        return Finding("FAIL", f"{issued} and is revoked. The reason was {row.revocation_reason}.")
    if row.state == IssuedCertificate.State.SUPERSEDED:
        return Finding("WARN", f"{issued}, and another certificate has replaced it.")
    return Finding("OK", f"{issued}.")


def _add(inspected: Inspected, rows: Sequence[Model]) -> None:
    known = {(type(row), row.pk) for row in inspected.rows}
    inspected.rows.extend(row for row in rows if (type(row), row.pk) not in known)
