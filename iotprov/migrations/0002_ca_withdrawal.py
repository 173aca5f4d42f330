"""Table: how far AWS IoT has followed the end of trust in a CA."""

import django.db.models.deletion
import pki.models.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("iotprov", "0001_initial"),
        ("pki", "0009_distrusted_cas"),
    ]

    operations = [
        migrations.CreateModel(
            name="CAWithdrawal",
            fields=[
                ("id", pki.models.fields.IdentifierField(default=pki.models.fields.new_identifier, editable=False, primary_key=True, serialize=False)),
                ("target", models.CharField(max_length=60)),
                ("revision", models.PositiveIntegerField(default=1, help_text="Counts how often the walk has begun anew.")),
                ("is_ca_inactive", models.BooleanField(default=False, verbose_name="CA is INACTIVE or unknown there")),
                ("walked_to", models.UUIDField(default=None, help_text="The last certificate that has its row of the outbox.", null=True)),
                ("are_certificates_enqueued", models.BooleanField(default=False, verbose_name="certificates are in the outbox")),
                ("error", models.CharField(blank=True, default="", max_length=1000)),
                ("ca", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="iot_withdrawals", to="pki.certificateauthority")),
            ],
            options={
                "ordering": ["ca", "target"],
                "constraints": [models.UniqueConstraint(fields=("ca", "target"), name="ca_withdrawal")],
            },
        ),
    ]
