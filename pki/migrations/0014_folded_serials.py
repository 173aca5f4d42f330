"""Write device serial numbers of the rows so far as they are compared."""

from django.db import migrations, transaction

CHUNK = 1000


def fold(apps, schema_editor):
    """Write ``serial_folded`` of the rows that have none, in chunks of a transaction each."""
    # Imported here, because an installation without rows does not need today's code.
    from pki.csr.thing_names import fold_serial

    certificates = apps.get_model("pki", "IssuedCertificate").objects.order_by("pk")
    rows = certificates.filter(serial_folded=None).values_list("pk", "device_serial")
    chunk = list(rows[:CHUNK])
    while chunk:
        with transaction.atomic():
            for pk, serial in chunk:
                certificates.filter(pk=pk).update(serial_folded=fold_serial(serial))
        chunk = list(rows.filter(pk__gt=chunk[-1][0])[:CHUNK])


class Migration(migrations.Migration):
    """Data only, and safe to run again."""

    atomic = False

    dependencies = [
        ("pki", "0013_fleet_indexes"),
    ]

    operations = [
        migrations.RunPython(fold, migrations.RunPython.noop, atomic=False),
    ]
