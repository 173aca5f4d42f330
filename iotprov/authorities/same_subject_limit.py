"""AWS IoT's limit of ten CAs with the same subject in an account and region.

Each rollover uses one of the ten, because the successor has the subject of the CA before it.
"""

from django.db.models import QuerySet
from django.utils import timezone

from iotprov.conf import IoTTarget
from iotprov.models import CARegistration
from pki.csr.subjects import name_text
from pki.models import CertificateAuthority, IssuedCertificate

SAME_SUBJECT_LIMIT = 10
"""https://docs.aws.amazon.com/iot/latest/apireference/API_RegisterCACertificate.html"""

SAME_SUBJECT_WARNING = 8
"""From this number on, a registration has a note about the limit."""


def namesakes_on_record(ca: CertificateAuthority, target: IoTTarget) -> QuerySet[CARegistration]:
    """Return the registrations at ``target`` of other CAs with the subject of ``ca``."""
    return (
        CARegistration.objects.filter(target=target.name, ca__subject=ca.subject)
        .exclude(ca=ca)
        .exclude(certificate_id="")
        .select_related("ca")
    )


def limit_note(ca: CertificateAuthority, target: IoTTarget, count: int) -> str:
    """Return a note if ``count`` CAs with the subject, this one included, are many, or ""."""
    if count < SAME_SUBJECT_WARNING:
        return ""
    return (
        f"{count} CAs with the subject {name_text(ca.certificate.subject)} are registered, and AWS "
        f"takes {SAME_SUBJECT_LIMIT}. {_deletion_advice(ca, target)}"
    )


def limit_error(ca: CertificateAuthority, target: IoTTarget) -> str:
    """Return the message for a registration that AWS refused because of the limit."""
    return (
        f"AWS takes {SAME_SUBJECT_LIMIT} CAs with the subject "
        f"{name_text(ca.certificate.subject)}, and {target.name} has them. "
        f"{_deletion_advice(ca, target)}"
    )


def _deletion_advice(ca: CertificateAuthority, target: IoTTarget) -> str:
    """Return which CAs on record can be deleted: retired ones without a live certificate.

    A CA that signed certificates elsewhere too may have live ones that are not on record. It can
    be deleted once it has expired.
    """
    now = timezone.now()
    retired = (
        namesakes_on_record(ca, target)
        .exclude(ca__status=CertificateAuthority.Status.ACTIVE)
        .order_by("ca__not_after", "ca__name")
    )
    free = [
        row.ca.name
        for row in retired
        if row.ca.not_after <= now
        or (
            row.ca.is_every_certificate_recorded
            and not IssuedCertificate.objects.live(now).filter(ca=row.ca).exists()
        )
    ]
    if not free:
        return (
            "None of those on record can be deleted yet. Delete one that is not on record, or wait."
        )
    return (
        f"{', '.join(free)} can be deleted (retired, without a live certificate). Set one "
        "INACTIVE in AWS IoT and delete it there."
    )
