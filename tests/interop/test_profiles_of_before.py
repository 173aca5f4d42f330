"""An existing database: its profiles keep every client CA until they name some (T41)."""

import sqlite3

from tests.interop.server import Installation

BEFORE = "0006_holders_of_old_names"


def insert(database, table, **values):
    """Insert a row, with something in every column that must not be empty."""
    columns = {
        name: 1 if kind.startswith(("integer", "bool", "smallint", "bigint")) else "[]"
        for _, name, kind, is_required, default, _ in database.execute(
            f"PRAGMA table_info({table})"
        )
        if is_required and default is None
    }
    columns |= values
    names, places = ", ".join(columns), ", ".join("?" for _ in columns)
    database.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", [*columns.values()])


def test_T41_a_migration_keeps_every_client_ca_for_existing_profiles(tmp_path):
    installation = Installation.at(tmp_path)
    installation.manage("migrate", "pki", BEFORE, "--no-input")
    path = installation.ask(
        "from django.conf import settings; answer = str(settings.DATABASES['default']['NAME'])"
    )
    with sqlite3.connect(path) as database:
        at = "2026-01-01 00:00:00"
        ca = {"not_before": at, "not_after": at, "created_at": at}
        insert(database, "pki_certificateauthority", id="a" * 32, name="ca", **ca)
        profile = {"name": "old", "active_label": "", "ca_id": "a" * 32, "created_at": at}
        insert(database, "pki_certificateprofile", id="b" * 32, **profile)
    database.close()

    installation.manage("migrate", "--no-input")

    assert installation.ask("""
        from pki.models import CertificateProfile
        row = CertificateProfile.objects.get()
        answer = [row.name, row.client_cas, row.accepted_profiles]
    """) == ["old", ["*"], []]
