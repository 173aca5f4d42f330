"""Check the audit trail."""

from typing import Any

from pki.operators.command import OperatorCommand, refuse
from pki.record.audit_trail import verify


class Command(OperatorCommand):
    """See ``help``."""

    help = "Check the audit trail's hash chains; names the first row that doesn't hold."

    def handle(self, *args: Any, **options: Any) -> None:
        """One line; exit code 1 when the trail was changed."""
        count, broken = verify()
        if broken is not None:
            row = broken.event
            refuse(
                f"the audit trail doesn't hold at row {row.pk} ({row.action} {row.target}, "
                f"{row.at:%Y-%m-%d %H:%M:%S} UTC): {broken.what}. Compare it with the last export"
            )
        self.stdout.write(f"the audit trail holds: {count} rows")
