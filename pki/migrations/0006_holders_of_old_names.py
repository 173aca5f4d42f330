"""Say who holds the names of the time before, and leave rebinding on where it went so far."""

from django.db import migrations, transaction

CHUNK = 1000


def keep_rebinding_under_any(apps, schema_editor):
    """Leave it on for existing profiles with the rule ``any``, under which it went so far."""
    profiles = apps.get_model("pki", "CertificateProfile").objects.filter(identity_rule="any")
    profiles.update(can_rebind_names=True)


def name_the_holders(apps, schema_editor):
    """Write CA and CN of the client that enrolled each name, if there is one client CA only.

    With more, the rows do not say which CA it was. The client certificate holds the name then.
    """
    authorities = apps.get_model("pki", "CertificateAuthority").objects.filter(purpose="client")
    certificates = apps.get_model("pki", "IssuedCertificate").objects.order_by("pk")
    rows = (
        certificates.exclude(name_owner=None)
        .exclude(client_subject="")
        .filter(holder_name_sha256="", holder_fingerprint="")
        .values_list("pk", "client_subject")
    )
    if len(pems := list(authorities.values_list("pem", flat=True)[:2])) != 1 or not rows.exists():
        return
    # Imported here, because a new installation has no rows and does not need today's code.
    from cryptography import x509

    from pki.issuance.client_authentication import name_sha256

    ca = x509.load_pem_x509_certificate(pems[0].encode())
    chunk = list(rows[:CHUNK])
    while chunk:
        with transaction.atomic():
            for pk, subject in chunk:
                value = name_sha256(ca, _common_name(subject))
                certificates.filter(pk=pk).update(holder_name_sha256=value)
        chunk = list(rows.filter(pk__gt=chunk[-1][0])[:CHUNK])


def _common_name(subject):
    """Return the CN in RFC 4514 text as rows have it, or "" if there is none."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    words = {
        "dnQualifier": NameOID.DN_QUALIFIER,
        "emailAddress": NameOID.EMAIL_ADDRESS,
        "serialNumber": NameOID.SERIAL_NUMBER,
    }
    try:
        name = x509.Name.from_rfc4514_string(subject, words)
    except ValueError:  # cut at 1000 characters
        return ""
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""


class Migration(migrations.Migration):
    """Data only, and safe to run again."""

    atomic = False

    dependencies = [
        ("pki", "0005_name_holders"),
    ]

    operations = [
        migrations.RunPython(keep_rebinding_under_any, migrations.RunPython.noop),
        migrations.RunPython(name_the_holders, migrations.RunPython.noop),
    ]
