"""Verify the audit trail."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from pki.operators.command import OperatorCommand, refuse
from pki.operators.errors import OperatorError
from pki.record.audit_check import check_trail
from pki.record.audit_heads import WrittenHeads, read_heads


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
        count = check_trail(written)
        self.say(f"the audit trail holds: {count} rows", rows=count)
        if written:
            of, tell = ("report", "says") if len(written) == 1 else ("reports", "say")
            self.say(
                f"it has all that {len(written)} {of} of its heads {tell}", reports=len(written)
            )


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
