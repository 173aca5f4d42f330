"""Revoke the certificates in a file, as a job."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from pki.jobs.lifecycle import start_job
from pki.jobs.terminal import JobCommand
from pki.operators.command import command_actor, refuse
from pki.revocation.revoke import REASONS


class Command(JobCommand):
    """See ``help``."""

    help = (
        "Revoke the certificates in a file for good, as a job. After Ctrl-C or a crash, the "
        "schedule goes on with it, and the same command shows its progress again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the file and the reason."""
        parser.add_argument(
            "file", type=Path, help="a serial number or SHA-256 fingerprint on each line"
        )
        parser.add_argument(
            "--reason", required=True, metavar="REASON", help=f"one of {', '.join(REASONS)}"
        )
        parser.add_argument("--comment", default="", help="kept on the audit trail")
        super().add_arguments(parser)

    def handle(
        self, *args: Any, file: Path, reason: str, comment: str, no_wait: bool, **options: Any
    ) -> None:
        """Print the job's id and, after the work, what failed and how it ended."""
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            refuse(f"{file} cannot be read: {why}.", error)
        job = start_job(
            "revoke",
            [line.strip() for line in text.splitlines() if line.strip()],
            parameters={"reason": reason, "comment": comment},
            actor=command_actor(),
        )
        self.follow(job, no_wait=no_wait)
