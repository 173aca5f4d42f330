"""Count the names that clients enrolled so far, as rows that take a name are counted now."""

from django.db import migrations, transaction

CHUNK = 1000


def count_names(apps, schema_editor):
    """Write ``new_name_of`` of the rows that own a name, in chunks of a transaction each.

    Rows from before the column of the client's signed part do not say which client it was.
    """
    certificates = apps.get_model("pki", "IssuedCertificate").objects.order_by("pk")
    rows = (
        certificates.filter(new_name_of=None, operation__in=["enroll", "reenroll"])
        .exclude(name_owner=None)
        .exclude(client_signed_sha256="")
        .values_list("pk", "client_signed_sha256")
    )
    chunk = list(rows[:CHUNK])
    while chunk:
        with transaction.atomic():
            for pk, client in chunk:
                certificates.filter(pk=pk, new_name_of=None).update(new_name_of=client)
        chunk = list(rows.filter(pk__gt=chunk[-1][0])[:CHUNK])


class Migration(migrations.Migration):
    """Data only, and safe to run again."""

    atomic = False

    dependencies = [
        ("pki", "0011_new_names"),
    ]

    operations = [
        migrations.RunPython(count_names, migrations.RunPython.noop),
    ]
