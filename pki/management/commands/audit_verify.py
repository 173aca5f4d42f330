"""Verify the audit trail."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from pki.operators.command import OperatorCommand, refuse
from pki.operators.errors import OperatorError
from pki.record.audit_heads import WrittenHeads, compare_heads, read_heads
from pki.record.audit_states import MOST_NAMED, compare_states, is_emptied
from pki.record.audit_trail import verify


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Verify the audit trail: its hash chains, that it agrees with the state of every "
        "certificate, and with --heads that it still has what it had when the heads were written. "
        "Name the first row that was changed, or the certificates that it does not agree about."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the file of heads."""
        parser.add_argument(
            "--heads",
            metavar="FILE",
            help="heads of the trail's chains: an object of the bucket for them, or a log with the "
            "hourly lines. A text that begins with { is taken as the object itself, for aws_run",
        )

    def handle(self, *args: Any, heads: str | None = None, **options: Any) -> None:
        """Print how many rows were verified, or refuse with what does not hold."""
        written = _written_heads(heads) if heads is not None else []
        # Step 1: a trail that was emptied has no chain to verify.
        if is_emptied():
            refuse(
                "The audit trail is empty, and CAs or certificates are on record. Its rows were "
                "deleted. Find out who can write to the database, and restore the trail from a "
                "backup."
            )
        # Step 2: the hash chains.
        count, broken = verify()
        if broken is not None:
            row = broken.event
            refuse(
                f"The audit trail does not hold at row {row.pk} ({row.action} {row.target}, "
                f"{row.at:%Y-%m-%d %H:%M:%S} UTC): {broken.what}. Compare it with the last export."
            )
        # Step 3: the ends of chains, which only heads that were written elsewhere can show.
        if problems := compare_heads(written):
            more = len(problems) - MOST_NAMED
            named = "; ".join([*problems[:MOST_NAMED], *([f"and {more} more"] if more > 0 else [])])
            refuse(
                f"The audit trail does not have what it had: {named}. Rows were taken away or "
                "written anew. Compare it with the last export."
            )
        # Step 4: the certificates, whose states need rows.
        if disagreements := compare_states():
            are = "certificate" if disagreements.count == 1 else "certificates"
            refuse(
                f"The audit trail and the record disagree about {disagreements.count} {are}: "
                f"{disagreements}. Rows of the trail were deleted, or the record was changed "
                "otherwise than by this server. Compare both with a backup."
            )
        self.stdout.write(f"the audit trail holds: {count} rows")
        if written:
            of, tell = ("report", "says") if len(written) == 1 else ("reports", "say")
            self.stdout.write(f"it has all that {len(written)} {of} of its heads {tell}")


def _written_heads(name: str) -> list[WrittenHeads]:
    if name.startswith("{"):
        return read_heads(name)
    try:
        return read_heads(Path(name).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        refuse(f"The heads cannot be read from {name}: {reason}. Give a file that can be.", error)
    except OperatorError as error:
        refuse(f"{name}: {error}", error)
