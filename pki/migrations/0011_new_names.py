"""Columns: how many names are new to a client, its quotas, and when a name was released."""

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('pki', '0010_compromised_keys'),
    ]

    operations = [
        migrations.AddField(
            model_name='certificateprofile',
            name='new_names_ever',
            field=models.PositiveIntegerField(blank=True, default=None, help_text='New thing names that one client may ever enroll; empty: any number.', null=True, validators=[django.core.validators.MinValueValidator(1)]),
        ),
        migrations.AddField(
            model_name='certificateprofile',
            name='new_names_per_hour',
            field=models.PositiveIntegerField(blank=True, default=3600, help_text='New thing names that one client may enroll within an hour; empty: any number.', null=True, validators=[django.core.validators.MinValueValidator(1)]),
        ),
        migrations.AddField(
            model_name='issuedcertificate',
            name='name_released_at',
            field=models.DateTimeField(blank=True, default=None, help_text='When an operator released the name. The row is of its earlier holder.', null=True),
        ),
        migrations.AddField(
            model_name='issuedcertificate',
            name='new_name_of',
            field=models.CharField(blank=True, default=None, help_text="Of a row that took a name: the client's signed part. Quotas count these rows.", max_length=64, null=True, verbose_name='new name of'),
        ),
        migrations.AddIndex(
            model_name='issuedcertificate',
            index=models.Index(fields=['new_name_of', 'created_at'], name='certificate_new_name'),
        ),
    ]
