"""List the post hooks that have not succeeded, and run one or all that are due."""

from typing import Any

from django.core.management.base import CommandParser

from estserver.enrollment.pending import run_post_hook
from estserver.models import PendingHook
from pki.management.certificate_facts import moment
from pki.management.listing import ListCommand
from pki.operators.command import OperatorCommand, refuse
from pki.operators.effects import Effect
from pki.operators.subcommands import CommandGroup
from pki.revocation.revoke import find_certificate


class ListHooks(ListCommand):
    """See ``help``."""

    help = "List the post hooks that have not succeeded."
    model = PendingHook
    columns = ("name", "serial_number", "operation", "attempts", "next_attempt_at", "error")
    has_search = False
    empty = "No hook waits."

    def facts(self, row: PendingHook) -> dict[str, Any]:
        """Return a hook as JSON values."""
        return {
            "id": str(row.pk),
            "name": row.certificate.common_name,
            "serial_number": row.certificate.serial_number,
            "operation": row.certificate.operation,
            "label": row.label,
            "attempts": row.attempts,
            "next_attempt_at": moment(row.next_attempt_at),
            "error": row.last_error,
        }


class RunHook(OperatorCommand):
    """See ``help``."""

    help = "Run the post hook of one certificate before its next attempt is due."
    effect = Effect.MORE

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the certificate."""
        parser.add_argument("certificate", metavar="SERIAL", help="as of `certificates show`")

    def handle(self, *args: Any, certificate: str, dry_run: bool, **options: Any) -> None:
        """Print that it has run. Raises ``CommandError`` if it failed again."""
        row = find_certificate(certificate)
        pending = PendingHook.objects.filter(certificate=row).first()
        if pending is None:
            refuse(f"No hook waits for {row}. manage.py hooks list shows those that do.")
        if dry_run:
            self.say(f"post_{row.operation} would run for {row} (--dry-run)")
        elif run_post_hook(pending):
            self.say(f"The hook for {row} has run.", serial_number=row.serial_number)
        else:
            pending.refresh_from_db()
            refuse(f"The hook failed again: {pending.last_error}")


class Command(CommandGroup):
    """See ``help``."""

    help = "List the post hooks that have not succeeded, and run them."
    subcommands = {
        "list": ListHooks,
        "run": RunHook,
        "run-due": "estserver.management.commands.run_pending_hooks.Command",
    }
