"""A change that is on the audit trail now. An installation is copied, and may be minutes old."""

from pki.record import audit_trail
from pki.record.transactions import in_write_transaction
from tests.conftest import TESTER


def note_a_change():
    """Write a row of the audit trail."""
    in_write_transaction(lambda: audit_trail.record("deny", actor=TESTER, target="name:a"))
