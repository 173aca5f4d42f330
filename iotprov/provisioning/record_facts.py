"""What the record says of a certificate now, for the worker that makes AWS IoT agree."""

import datetime
import uuid

from iotprov.models import CARegistration
from iotprov.provisioning.desired_state import Facts, Mode, State
from pki.denylist.entries import entries_naming
from pki.denylist.identifiers import RequestIdentifiers
from pki.models import IssuedCertificate

MOST_PREDECESSORS = 5
"""How many earlier certificates are looked up in AWS IoT, because faults may have lost some."""


def read_facts(certificate_id: uuid.UUID, target_name: str, at: datetime.datetime) -> Facts:
    """Return what is on record of a certificate at the time ``at``, for the target of that name."""
    certificate = IssuedCertificate.objects.select_related("profile", "ca").get(pk=certificate_id)
    profile = certificate.profile
    if profile is None or certificate.fingerprint_sha256 is None:
        return Facts(certificate)
    entries = entries_naming(RequestIdentifiers.of_device(certificate))
    return Facts(
        certificate,
        is_denied=bool(entries),
        denied_until=min(
            (end for entry in entries if (end := entry.ends_at) is not None), default=None
        ),
        is_ca_stopped=certificate.ca.are_certificates_stopped,
        can_be_provisioned_by_aws=profile.iot_provisioning == Mode.JITP
        or CARegistration.objects.filter(
            ca=certificate.ca, target=target_name, is_auto_registration_on=True
        ).exists(),
        predecessors=_predecessors(certificate),
        successor=_successor(certificate, at),
    )


def _predecessors(certificate: IssuedCertificate) -> tuple[str, ...]:
    """Return the certificate that it renews, then the device's others, newest first."""
    if certificate.operation != IssuedCertificate.Operation.REENROLL:
        return ()
    earlier = (
        IssuedCertificate.objects.for_name(certificate.common_name)
        .filter(issued_at__lt=certificate.issued_at)
        .exclude(fingerprint_sha256=None)
        .order_by("-issued_at")
        .values_list("pk", "fingerprint_sha256")[: MOST_PREDECESSORS * 2]
    )
    renewed_first = sorted(earlier, key=lambda row: row[0] != certificate.predecessor_id)
    return tuple(fingerprint for _, fingerprint in renewed_first if fingerprint)[:MOST_PREDECESSORS]


def _successor(certificate: IssuedCertificate, at: datetime.datetime) -> str:
    """Return the current certificate of the same name and profile, if AWS IoT is to have it."""
    if certificate.state != State.SUPERSEDED or certificate.profile is None:
        return ""
    successor = (
        IssuedCertificate.objects.for_name(certificate.common_name)
        .current(at)
        .filter(profile__name=certificate.profile.name)
        .exclude(pk=certificate.pk)
        .exclude(profile__iot_provisioning=Mode.NONE)
        .exclude(ca__are_certificates_stopped=True)
        .first()
    )
    if successor is None or entries_naming(RequestIdentifiers.of_device(successor)):
        return ""
    return successor.fingerprint_sha256 or ""
