"""Room for one more CA: AWS IoT takes ten with the same subject in an account and region.

A rollover takes one place each time, since the successor has the subject of the CA before it.
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
"""From this many on, the room that is left is spoken of."""


def namesakes_on_record(ca: CertificateAuthority, target: IoTTarget) -> QuerySet[CARegistration]:
    """Registrations at ``target`` of other CAs with the subject of ``ca``."""
    return (
        CARegistration.objects.filter(target=target.name, ca__subject=ca.subject)
        .exclude(ca=ca)
        .exclude(certificate_id="")
        .select_related("ca")
    )


def little_room(ca: CertificateAuthority, target: IoTTarget, count: int) -> str:
    """A sentence when ``count`` CAs of the subject, this one included, are many; else ""."""
    if count < SAME_SUBJECT_WARNING:
        return ""
    return (
        f"{count} CAs with the subject {name_text(ca.certificate.subject)} are registered, and AWS "
        f"takes {SAME_SUBJECT_LIMIT}: {_what_could_go(ca, target)}"
    )


def no_room(ca: CertificateAuthority, target: IoTTarget) -> str:
    """What to do after AWS refused one CA too many."""
    return (
        f"AWS takes {SAME_SUBJECT_LIMIT} CAs with the subject "
        f"{name_text(ca.certificate.subject)}, and {target.name} has them: "
        f"{_what_could_go(ca, target)}"
    )


def _what_could_go(ca: CertificateAuthority, target: IoTTarget) -> str:
    """Which CAs of ours nobody needs any more: retired, and no certificate of theirs is live.

    A CA that signed certificates elsewhere too may have some that aren't on record: it can go when
    it has expired.
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
        return "none of those on record can go yet, so delete one that isn't ours, or wait"
    return (
        f"{', '.join(free)} could go (retired, and none of its certificates is live): set it "
        "INACTIVE in AWS IoT and delete it there"
    )
