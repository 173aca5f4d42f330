"""Indexes for fleets: the state, the key, and the device serial number as it is compared."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("pki", "0012_names_taken"),
    ]

    operations = [
        migrations.AddField(
            model_name="issuedcertificate",
            name="serial_folded",
            field=models.CharField(blank=True, db_index=True, default=None, max_length=64, null=True, verbose_name="device serial number, as it is compared"),
        ),
        migrations.AddIndex(
            model_name="issuedcertificate",
            index=models.Index(fields=["state", "id"], name="certificate_state"),
        ),
        migrations.AddIndex(
            model_name="issuedcertificate",
            index=models.Index(fields=["key_sha256"], name="certificate_key"),
        ),
    ]
