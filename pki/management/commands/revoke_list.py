"""Revoke the certificates in a file, as a job."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from pki.jobs.lifecycle import start_job
from pki.jobs.revoking import start_revocation
from pki.jobs.terminal import JobCommand
from pki.models import IssuedCertificate
from pki.operators.command import command_actor, refuse
from pki.operators.effects import Effect
from pki.revocation.revoke import REASONS


class Command(JobCommand):
    """See ``help``."""

    help = (
        "Revoke the certificates in a file, or those of a filter, for good, as a job. After "
        "Ctrl-C or a crash, the schedule goes on with it, and the same command shows its "
        "progress again."
    )
    effect = Effect.MORE
    is_dangerous = True

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the file or filter, and the reason."""
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument(
            "file", type=Path, nargs="?", help="a serial number or SHA-256 fingerprint on each line"
        )
        source.add_argument(
            "--filter",
            metavar="ADDRESS",
            help="everything that a list of certificates in the web admin shows: its address, or "
            "what stands after the ?",
        )
        parser.add_argument(
            "--reason", required=True, metavar="REASON", help=f"one of {', '.join(REASONS)}"
        )
        parser.add_argument("--comment", default="", help="kept on the audit trail")
        parser.add_argument(
            "--yes", action="store_true", help="do not ask for the number of certificates first"
        )
        super().add_arguments(parser)

    def handle(
        self,
        *args: Any,
        file: Path | None,
        filter: str | None,  # noqa: A002  # the option's name
        reason: str,
        comment: str,
        yes: bool,
        dry_run: bool,
        no_wait: bool,
        **options: Any,
    ) -> None:
        """Print the job's id and, after the work, what failed and how it ended."""
        if file is None:
            # Imported here: the other half of the command needs no page.
            from pki.admin.filtered import rows_of_address

            rows = rows_of_address(IssuedCertificate, filter or "")
            count = rows.count()
            self.say(f"The filter leaves {count:,} certificates.", certificates=count)
            if self.is_settled(count, dry_run=dry_run, yes=yes):
                return
            job = start_revocation(rows, reason=reason, comment=comment, actor=command_actor())
        else:
            subjects = _subjects(file)
            self.say(f"The file names {len(subjects):,} certificates.", certificates=len(subjects))
            if self.is_settled(len(subjects), dry_run=dry_run, yes=yes):
                return
            job = start_job(
                "revoke",
                subjects,
                parameters={"reason": reason, "comment": comment},
                actor=command_actor(),
            )
        self.follow(job, no_wait=no_wait)

    def is_settled(self, count: int, *, dry_run: bool, yes: bool) -> bool:
        """Return whether nothing is left to do; otherwise have the number typed back."""
        if dry_run:
            self.say("nothing was changed (--dry-run)")
            return True
        if count:
            self.confirm(str(count), is_confirmed=yes)
        return False


def _subjects(file: Path) -> list[str]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        refuse(f"{file} cannot be read: {why}.", error)
    return [line.strip() for line in text.splitlines() if line.strip()]
