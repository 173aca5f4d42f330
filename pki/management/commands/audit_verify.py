"""Verify the audit trail."""

from typing import Any

from pki.operators.command import OperatorCommand, refuse
from pki.record.audit_trail import verify


class Command(OperatorCommand):
    """See ``help``."""

    help = "Verify the audit trail's hash chains, and name the first row that was changed."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print how many rows were verified, or refuse with the first row that was changed."""
        count, broken = verify()
        if broken is not None:
            row = broken.event
            refuse(
                f"The audit trail does not hold at row {row.pk} ({row.action} {row.target}, "
                f"{row.at:%Y-%m-%d %H:%M:%S} UTC): {broken.what}. Compare it with the last export."
            )
        self.stdout.write(f"the audit trail holds: {count} rows")
