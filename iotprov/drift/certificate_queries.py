"""Queries for the comparison of certificates, chunk by chunk."""

import datetime
from collections.abc import Collection, Iterator

from iotprov.drift.listing import CHUNK, Listed
from iotprov.provisioning.desired_state import Mode
from pki.models import IssuedCertificate
from pki.models.certificate import IssuedCertificateQuerySet

State = IssuedCertificate.State


def certificates_with_ids(certificate_ids: Collection[str]) -> IssuedCertificateQuerySet:
    """Return the certificates on record with these IDs in AWS IoT, with their profiles."""
    certificates = IssuedCertificate.objects.filter(fingerprint_sha256__in=certificate_ids)
    return certificates.select_related("profile").defer("csr_der")


def revoked_or_unknown(chunk: list[Listed]) -> list[Listed]:
    """Return those that are revoked by the record, or not on record."""
    ids = [one.certificate_id for one in chunk]
    valid = set(
        IssuedCertificate.objects.filter(fingerprint_sha256__in=ids)
        .exclude(state=State.REVOKED)
        .values_list("fingerprint_sha256", flat=True)
    )
    return [one for one in chunk if one.certificate_id not in valid]


def ids_on_record(started: datetime.datetime) -> Iterator[list[str]]:
    """Yield the IDs of certificates that AWS IoT may have to know, ``CHUNK`` at a time."""
    signed = (State.ISSUED, State.SUPERSEDED, State.REVOKED)
    certificates = (
        IssuedCertificate.objects.filter(
            state__in=signed, not_after__gt=started, issued_at__lte=started
        )
        .exclude(fingerprint_sha256=None)
        .exclude(profile=None)
        .exclude(profile__iot_provisioning=Mode.NONE)
        .order_by("pk")
        .values_list("pk", "fingerprint_sha256")
    )
    after = certificates
    while rows := list(after[:CHUNK]):
        yield [fingerprint for _, fingerprint in rows if fingerprint]
        after = certificates.filter(pk__gt=rows[-1][0])
