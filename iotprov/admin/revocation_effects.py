"""What a revocation changes in AWS IoT, for the pages on which it is decided."""

from collections.abc import Sequence

from django.db.models import QuerySet

from iotprov.conf import iot_settings
from iotprov.models import Provisioning
from pki.admin import certificate_operations
from pki.admin.display import visible
from pki.choices import IoTProvisioning
from pki.models import CertificateProfile, IssuedCertificate


def effects_in_aws_iot(rows: Sequence[IssuedCertificate] | None) -> list[str]:
    """Return a sentence for each target, or one for all. ``None`` stands for very many rows."""
    targets = [target.name for target in iot_settings().targets]
    if rows is None:
        if not _uses_aws_iot(CertificateProfile.objects.all()):
            return []
        return [
            f"AWS IoT at {', '.join(targets)}: each certificate of a profile that uses AWS IoT "
            "becomes REVOKED and is detached from its thing."
        ]
    profiles = {row.profile_id for row in rows}
    if not _uses_aws_iot(CertificateProfile.objects.filter(pk__in=profiles)):
        return []
    if len(rows) == 1:
        known = {one.target: one for one in Provisioning.objects.filter(certificate=rows[0])}
        return [_of_one(name, known.get(name)) for name in dict.fromkeys([*targets, *known])]
    return [
        f"AWS IoT at {', '.join(targets)}: the certificates become REVOKED and are detached from "
        "their things."
    ]


def _uses_aws_iot(profiles: QuerySet[CertificateProfile]) -> bool:
    return profiles.exclude(iot_provisioning=IoTProvisioning.NONE).exists()


def _of_one(target: str, row: Provisioning | None) -> str:
    now = f" It is {row.aws_status} there now." if row is not None and row.aws_status else ""
    thing = visible(row.thing_name) if row is not None else ""
    detached = f" and is detached from the thing {thing}" if thing else ""
    return f"AWS IoT at {target}: the certificate becomes REVOKED{detached}.{now}"


certificate_operations.effects_elsewhere.append(effects_in_aws_iot)
