"""Deny the keys of certificates that were revoked for keyCompromise, as revoking does now."""

from django.db import migrations, transaction

CHUNK = 500
REASON = "keyCompromise"


def deny_compromised_keys(apps, schema_editor):
    """Write the entries in chunks, each in a transaction of its own. An entry loses its end."""
    certificates = apps.get_model("pki", "IssuedCertificate").objects.order_by("pk")
    rows = certificates.filter(
        revoked_at__isnull=False, state="revoked", revocation_reason=REASON
    ).values_list("pk", "key_sha256", "serial_number", "common_name")
    entries = apps.get_model("pki", "DenylistEntry").objects
    chunk = list(rows[:CHUNK])
    while chunk:
        with transaction.atomic():
            for _, key_sha256, serial_number, common_name in chunk:
                text = f"{REASON}: certificate {serial_number} of {common_name}"
                _deny_for_good(entries, key_sha256, text)
        chunk = list(rows.filter(pk__gt=chunk[-1][0])[:CHUNK])


def _deny_for_good(entries, key_sha256, reason):
    entry = entries.filter(kind="key", value=key_sha256).first()
    if entry is not None and entry.expires_at is None:
        return
    # Imported here, because an installation without such keys does not need today's code.
    from pki.record import audit_trail

    before = None
    if entry is None:
        entry = entries.model(kind="key", value=key_sha256, created_by=audit_trail.SYSTEM.name)
    else:
        before = {"reason": entry.reason, "expires_at": entry.expires_at.isoformat()}
    entry.reason, entry.expires_at = reason, None
    entry.save()
    audit_trail.record(
        "deny",
        actor=audit_trail.SYSTEM,
        target=f"key:{key_sha256}",
        reason=f"Upgrade: {reason}",
        before=before,
        after={"reason": reason, "expires_at": None},
    )


class Migration(migrations.Migration):
    """Data only, and safe to run again."""

    atomic = False

    dependencies = [
        ("pki", "0009_distrusted_cas"),
    ]

    operations = [
        migrations.RunPython(deny_compromised_keys, migrations.RunPython.noop),
    ]
