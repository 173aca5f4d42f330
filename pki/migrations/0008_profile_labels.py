"""Columns: the client CAs and the device certificates that a profile accepts.

Existing profiles go on accepting the clients of every client CA. New ones name theirs.
"""

from django.db import migrations, models


def every_client_ca():
    """Return what existing rows get."""
    return ["*"]


CLIENT_CAS = {
    "blank": True,
    "help_text": "Names of the client CAs whose clients may use the profile. '*' is every client CA, which only profiles from before this setting have.",
    "verbose_name": "client CAs",
}


class Migration(migrations.Migration):

    dependencies = [
        ("pki", "0007_san_excess"),
    ]

    operations = [
        migrations.AddField(
            model_name="certificateprofile",
            name="client_cas",
            field=models.JSONField(default=every_client_ca, **CLIENT_CAS),
        ),
        migrations.AlterField(
            model_name="certificateprofile",
            name="client_cas",
            field=models.JSONField(default=list, **CLIENT_CAS),
        ),
        migrations.AddField(
            model_name="certificateprofile",
            name="accepted_profiles",
            field=models.JSONField(blank=True, default=list, help_text="Names of other profiles whose device certificates may renew here. Those of the profile itself always may."),
        ),
    ]
