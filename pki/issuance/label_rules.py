"""Decide whether a client counts at a label, and whether every CA of a request is trusted still.

Labels separate (RFC 7030 3.2.2): what is trusted at one is not for that reason trusted at another.
``pki.issuance.name_rules`` decides afterwards which name the client may have.
"""

import uuid
from typing import Any

from pki.exceptions import ClientRefused, EnrollmentRefused
from pki.issuance.client_authentication import Client
from pki.issuance.on_file import CertificateOnFile
from pki.models import CertificateAuthority, IssuedCertificate, hot_path_values
from pki.models.profile import EVERY_CLIENT_CA
from pki.reasons import Reason
from pki.record.snapshot import ProfileSnapshot

DISTRUSTED_CA_SQL = (
    "EXISTS (SELECT 1 FROM pki_certificateauthority AS distrusted "
    "WHERE distrusted.id IN (%s, %s, %s) AND distrusted.status = %s)"
)
"""A condition: a CA of the request is distrusted. ``distrusted_ca_values`` are its values."""


def check_label(
    client: Client, profile: ProfileSnapshot, on_file: CertificateOnFile | None
) -> None:
    """Raise ``EnrollmentRefused`` unless ``client`` counts at the label of ``profile``.

    A device certificate counts at the profile that issued it, in any version, and at one that
    accepts that profile's. Another client counts where the profile names its CA. A certificate
    ``on_file`` of a distrusted CA is not renewed by anybody.
    """
    row = profile.row
    if client.is_device:
        issued_under = client.record.profile_id if client.record else None
        if issued_under not in profile.device_versions:
            raise EnrollmentRefused(Reason.DEVICE_OF_ANOTHER_PROFILE)
    elif not {client.authority.name, EVERY_CLIENT_CA} & {*row.client_cas}:
        raise EnrollmentRefused(Reason.CLIENT_CA_NOT_ACCEPTED)
    if on_file is not None and on_file.row.ca_id in profile.distrusted_ids:
        raise EnrollmentRefused(
            Reason.CA_DISTRUSTED,
            "A CA that is distrusted issued the certificate on file, so it cannot be renewed. "
            "Enroll it (simpleenroll) at a label of another CA.",
        )


def distrusted_ca_values(intent: IssuedCertificate, client: Client) -> list[Any]:
    """Return the values of ``DISTRUSTED_CA_SQL`` for a request."""
    ids = [
        hot_path_values.prepared_value(IssuedCertificate, "ca_id", one)
        for one in _ca_ids(intent, client)
    ]
    return [*ids, CertificateAuthority.Status.REVOKED]


def check_still_trusted(intent: IssuedCertificate, client: Client) -> None:
    """Raise ``ClientRefused`` when a CA was distrusted while ``intent`` was being signed."""
    distrusted = CertificateAuthority.objects.distrusted()
    if distrusted.filter(pk__in=_ca_ids(intent, client)).exists():
        raise ClientRefused(Reason.CA_DISTRUSTED)


def _ca_ids(intent: IssuedCertificate, client: Client) -> tuple[uuid.UUID, uuid.UUID, uuid.UUID]:
    """Return the CAs that issue, that the client leads to, and that issued what is renewed."""
    predecessor = intent.predecessor
    return (intent.ca_id, client.authority.pk, predecessor.ca_id if predecessor else intent.ca_id)
