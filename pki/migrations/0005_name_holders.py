"""Columns: who holds a thing name, and whether a profile lets another client take it over."""

import pki.models.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("pki", "0004_device_serials"),
    ]

    operations = [
        migrations.AddField(
            model_name="certificateprofile",
            name="can_rebind_names",
            field=models.BooleanField(default=False, help_text="A client that the rule lets have a name may take it over from the client that holds it. The name is bound to the new one then, and the audit trail says so."),
        ),
        migrations.AddField(
            model_name="issuedcertificate",
            name="holder_fingerprint",
            field=pki.models.fields.Sha256Field(blank=True, default="", max_length=64, verbose_name="name's holder"),
        ),
        migrations.AddField(
            model_name="issuedcertificate",
            name="holder_name_sha256",
            field=pki.models.fields.Sha256Field(blank=True, default="", max_length=64, verbose_name="holder's CA and CN (SHA-256)"),
        ),
        migrations.AddField(
            model_name="issuedcertificate",
            name="holder_signed_sha256",
            field=pki.models.fields.Sha256Field(blank=True, db_index=True, default="", max_length=64, verbose_name="holder's signed part"),
        ),
    ]
