"""Write device serial numbers as they are compared now: one space for each run of white space."""

from django.db import migrations, transaction
from django.db.models import Q

CHUNK = 1000


def _normal(serial):
    return " ".join(serial.split())


def repair_certificates(apps, schema_editor):
    """Repair ``device_serial`` of the rows in chunks, each in a transaction of its own."""
    certificates = apps.get_model("pki", "IssuedCertificate").objects.order_by("pk")
    misspelled = certificates.filter(
        Q(device_serial__startswith=" ")
        | Q(device_serial__endswith=" ")
        | Q(device_serial__contains="  ")
    )
    chunk = list(misspelled.values_list("pk", "device_serial")[:CHUNK])
    while chunk:
        with transaction.atomic():
            for pk, serial in chunk:
                certificates.filter(pk=pk).update(device_serial=_normal(serial))
        chunk = list(misspelled.filter(pk__gt=chunk[-1][0]).values_list("pk", "device_serial")[:CHUNK])


def repair_entries(apps, schema_editor):
    """Repair the entries, and merge those that become one: the later end wins, or none at all."""
    entries = apps.get_model("pki", "DenylistEntry").objects
    for entry in entries.filter(kind="device-serial", value__contains="  "):
        with transaction.atomic():
            _repair_entry(entries, entry)


def _repair_entry(entries, entry):
    # Imported here, because an installation without such entries does not need today's code.
    from pki.record import audit_trail

    misspelled, value = entry.value, _normal(entry.value)
    kept = entries.filter(kind=entry.kind, value=value).first()
    if kept is None:
        entry.value = value
        entry.save()
        kept = entry
    else:
        if kept.expires_at is not None and (
            entry.expires_at is None or entry.expires_at > kept.expires_at
        ):
            kept.expires_at = entry.expires_at
            kept.save()
        entry.delete()
    audit_trail.record(
        "deny",
        actor=audit_trail.SYSTEM,
        target=f"{kept.kind}:{value}",
        reason=f"Upgrade: the entry for {misspelled!r} is the same device serial number.",
        before={"value": misspelled, "reason": entry.reason},
        after={
            "reason": kept.reason,
            "expires_at": kept.expires_at and kept.expires_at.isoformat(),
        },
    )


class Migration(migrations.Migration):
    """Data only, and safe to run again."""

    atomic = False

    dependencies = [
        ("pki", "0003_signed_parts"),
    ]

    operations = [
        migrations.RunPython(repair_certificates, migrations.RunPython.noop),
        migrations.RunPython(repair_entries, migrations.RunPython.noop),
    ]
