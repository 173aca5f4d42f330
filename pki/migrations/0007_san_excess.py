"""Column: what happens to requested alternative names that a profile does not allow."""

from django.db import migrations, models

CHOICES = [
    ("drop", "Leave them out, and say so in the log and on the audit trail"),
    ("refuse", "Refuse the CSR"),
]
HELP = "What happens to requested names that the SAN rule does not allow."


class Migration(migrations.Migration):

    dependencies = [
        ("pki", "0006_holders_of_old_names"),
    ]

    operations = [
        # Profiles that exist go on refusing. New ones leave the names out.
        migrations.AddField(
            model_name="certificateprofile",
            name="san_excess",
            field=models.CharField(choices=CHOICES, default="refuse", help_text=HELP, max_length=10, verbose_name="SAN excess"),
        ),
        migrations.AlterField(
            model_name="certificateprofile",
            name="san_excess",
            field=models.CharField(choices=CHOICES, default="drop", help_text=HELP, max_length=10, verbose_name="SAN excess"),
        ),
    ]
