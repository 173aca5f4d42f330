"""``manage.py reason_codes``: print or write the reference of reason codes."""

from estserver.operations.reference_command import ReferenceCommand
from estserver.reason_codes import REFERENCE_FILE, reason_codes


class Command(ReferenceCommand):
    """See ``help``."""

    help = "Print the reference of reason codes, or write it to docs/reason-codes.md."
    page = REFERENCE_FILE

    def text(self) -> str:
        """Return the page."""
        return reason_codes()
