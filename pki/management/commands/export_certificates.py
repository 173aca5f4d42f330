"""Write certificates to a file, as a job."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from pki.jobs.certificate_files import ROWS
from pki.jobs.exporting import file_of, start_export
from pki.jobs.terminal import JobCommand
from pki.models import IssuedCertificate, Job
from pki.operators.command import command_actor, refuse
from pki.operators.effects import Effect


class Command(JobCommand):
    """See ``help``."""

    help = "Write the certificates of a filter to a file, as CSV or PEM, as a job."
    effect = Effect.MORE

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the filter, the form and the file."""
        parser.add_argument(
            "--filter",
            required=True,
            metavar="ADDRESS",
            help="everything that a list of certificates in the web admin shows: its address, or "
            "what stands after the ?",
        )
        parser.add_argument("--form", choices=sorted(ROWS), default="csv")
        parser.add_argument("--out", type=Path, metavar="FILE", help="a file that does not exist")
        super().add_arguments(parser)

    def handle(
        self,
        *args: Any,
        filter: str,  # noqa: A002  # the option's name
        form: str,
        out: Path | None,
        no_wait: bool,
        dry_run: bool,
        **options: Any,
    ) -> None:
        """Print the job's id and how it ended, and write the file if it is finished."""
        # Imported here, as revoke_list does.
        from pki.admin.filtered import rows_of_address

        if out is None and not (no_wait or dry_run):
            refuse("No file is named. Give --out FILE, or --no-wait to fetch it later.")
        if out is not None and out.exists():
            refuse(f"{out} exists. Name a file that does not.")
        rows = rows_of_address(IssuedCertificate, filter)
        if dry_run:
            count = rows.count()
            self.say(
                f"{count:,} certificates would be written as {form}. No job was started.",
                certificates=count,
            )
            return
        job = start_export(rows, form=form, actor=command_actor())
        self.follow(job, no_wait=no_wait)
        if out is not None and job.state == Job.State.FINISHED:
            save(job, out)
            self.say(f"{out} is written", file=str(out))


def save(job: Job, out: Path) -> None:
    """Write the file of an export. Raises ``CommandError`` if it exists or cannot be written."""
    text = file_of(job)
    try:
        with out.open("x", encoding="utf-8", newline="") as file:
            file.writelines(text)
    except OSError as error:
        refuse(f"{out} cannot be written: {error.strerror}.", error)
