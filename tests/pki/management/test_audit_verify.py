"""`audit_verify`: what it prints, and in which sentences it refuses."""

import io
import json

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from pki.models import AuditEvent, IssuedCertificate
from pki.record.audit_heads import chain_heads, heads_report
from tests.support.builders import make_csr


def verify(*arguments):
    printed = io.StringIO()
    call_command("audit_verify", *map(str, arguments), stdout=printed)
    return printed.getvalue()


def refused(*arguments):
    with pytest.raises(CommandError) as error:
        verify(*arguments)
    assert error.value.returncode == 1
    return str(error.value)


def delete(condition="1 = 1"):
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM pki_auditevent WHERE {condition}")


@pytest.fixture
def device(est_client):
    """The row of a device's certificate."""
    est_client.simpleenroll(make_csr("sensor-1"))
    return IssuedCertificate.objects.for_name("sensor-1").get()


def test_T48_a_trail_without_any_row_does_not_hold(device):
    delete()

    assert refused() == (
        "The audit trail is empty, and CAs or certificates are on record. Its rows were deleted. "
        "Find out who can write to the database, and restore the trail from a backup."
    )


def test_T48_a_certificate_without_its_rows_is_named(device):
    delete(f"action = 'issue' AND target = 'certificate:{device.serial_number}'")

    assert refused() == (
        "The audit trail and the record disagree about 1 certificate: "
        f"sensor-1 ({device.serial_number}) is issued, and the trail has no row 'issue'. "
        "Rows of the trail were deleted, or the record was changed otherwise than by this server. "
        "Compare both with a backup."
    )


def test_T48_heads_that_were_kept_elsewhere_are_compared(device, tmp_path):
    kept = tmp_path / "heads.json"
    kept.write_text(json.dumps(heads_report(chain_heads())))
    count = AuditEvent.objects.count()

    assert verify("--heads", kept) == (
        f"the audit trail holds: {count} rows\nit has all that 1 report of its heads says\n"
    )
    assert "it has all" in verify("--heads", kept.read_text())

    # The certificate and its rows at the chain's end are both taken away: chains and states agree.
    delete(f"target = 'certificate:{device.serial_number}'")
    IssuedCertificate.objects.filter(pk=device.pk).delete()
    assert verify() == f"the audit trail holds: {count - 2} rows\n"
    for given in (kept, kept.read_text()):
        said = refused("--heads", given)
        assert said.startswith("The audit trail does not have what it had: ")
        assert "Compare it with the last export." in said


def test_a_file_without_heads_is_refused(device, tmp_path):
    empty = tmp_path / "empty.log"
    empty.write_text("\n")
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff")

    assert "has no heads of the audit trail" in refused("--heads", empty)
    assert "it is not UTF-8" in refused("--heads", binary)
    assert "No such file" in refused("--heads", tmp_path / "missing")
