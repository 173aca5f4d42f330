"""Columns and states of CAs that are distrusted, or retired after a rollover."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("pki", "0008_profile_labels"),
    ]

    operations = [
        migrations.AddField(
            model_name="certificateauthority",
            name="are_certificates_stopped",
            field=models.BooleanField(default=False, editable=False, help_text="Distrusted, and its certificates are INACTIVE in AWS IoT."),
        ),
        migrations.AddField(
            model_name="certificateauthority",
            name="untrusted_since",
            field=models.DateTimeField(default=None, editable=False, help_text="When it was distrusted or retired.", null=True),
        ),
        migrations.AlterField(
            model_name="certificateauthority",
            name="status",
            field=models.CharField(choices=[("active", "Active"), ("retiring", "Retiring: trusted and published, signs nothing new"), ("retired", "Retired: neither trusted nor published any more"), ("revoked", "Distrusted: whatever leads to it is refused")], default="active", max_length=10),
        ),
    ]
