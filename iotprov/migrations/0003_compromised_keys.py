"""Have AWS IoT stop live certificates whose key another certificate was revoked for."""

from django.db import migrations, transaction
from django.db.models import F
from django.utils import timezone

CHUNK = 500


def enqueue_certificates(apps, schema_editor):
    """Write or renew the outbox rows in chunks, each in a transaction of its own."""
    entries = apps.get_model("pki", "DenylistEntry").objects
    keys = entries.filter(kind="key", expires_at=None).order_by().values("value")
    certificates = apps.get_model("pki", "IssuedCertificate").objects.order_by("pk")
    live = (
        certificates.filter(
            state__in=["issued", "superseded"],
            not_after__gt=timezone.now(),
            key_sha256__in=keys,
            profile__isnull=False,
        )
        .exclude(profile__iot_provisioning="none")
        .values_list("pk", flat=True)
    )
    if not (chunk := list(live[:CHUNK])):
        return
    # Imported here, because an installation without such certificates needs no settings of AWS.
    from iotprov.conf import iot_settings

    targets = [target.name for target in iot_settings().targets]
    provisionings = apps.get_model("iotprov", "Provisioning").objects
    while chunk:
        with transaction.atomic():
            for certificate_id in chunk:
                for target in targets:
                    _enqueue(provisionings, certificate_id, target)
        chunk = list(live.filter(pk__gt=chunk[-1])[:CHUNK])


def _enqueue(provisionings, certificate_id, target):
    """Do what ``iotprov.provisioning.outbox.enqueue`` did when this was written."""
    now = timezone.now()
    due = {"state": "pending", "next_attempt_at": now, "pending_since": now, "is_urgent": True}
    row = provisionings.filter(certificate_id=certificate_id, target=target)
    if not row.update(revision=F("revision") + 1, attempts=0, error="", **due):
        provisionings.create(certificate_id=certificate_id, target=target, is_urgent=True)


class Migration(migrations.Migration):
    """Data only, and safe to run again."""

    atomic = False

    dependencies = [
        ("iotprov", "0002_ca_withdrawal"),
        ("pki", "0010_compromised_keys"),
    ]

    operations = [
        migrations.RunPython(enqueue_certificates, migrations.RunPython.noop),
    ]
