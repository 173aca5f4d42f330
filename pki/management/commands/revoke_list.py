"""Revoke the certificates in a file, as a job."""

import time
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from pki.jobs.lifecycle import start_job
from pki.jobs.worker import work_on_job
from pki.models import Job, JobLine
from pki.operators.command import OperatorCommand, command_actor, refuse
from pki.revocation.revoke import REASONS

_PAUSE = 1.0
"""Seconds between two looks at a job that another worker holds."""


class Command(OperatorCommand):
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
        parser.add_argument("--no-wait", action="store_true", help="leave it to the schedule")

    def handle(
        self, *args: Any, file: Path, reason: str, comment: str, no_wait: bool, **options: Any
    ) -> None:
        """Print the job's id and, after the work, what failed and how it ended."""
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            refuse(f"{file} cannot be read: {why}.", error)
        subjects = [line.strip() for line in text.splitlines() if line.strip()]
        job = start_job(
            "revoke",
            subjects,
            parameters={"reason": reason, "comment": comment},
            actor=command_actor(),
        )
        if not no_wait:
            self._wait(job)
        job.refresh_from_db()
        for line in job.lines.filter(state=JobLine.State.FAILED).order_by("number").iterator():
            self.stdout.write(f"{line}: {line.result}")
        self.stdout.write(f"job {job.pk}: {job.state}, {job.progress}")
        if job.error:
            refuse(job.error)
        if job.failed:
            refuse(
                f"{job.failed} of {job.total} lines failed, and are listed above. The others are "
                f"done. manage.py jobs {job.pk} --continue repeats those that failed."
            )

    def _wait(self, job: Job) -> None:
        is_terminal = self.stdout.isatty()

        def progress(row: Job) -> None:
            if is_terminal:
                self.stdout.write(f"\r{row.progress}", ending="")
                self.stdout.flush()

        try:
            work_on_job(job.pk, may_go_on=lambda: True, progress=progress)
            job.refresh_from_db()
            while job.state == Job.State.RUNNING:  # another worker holds it
                time.sleep(_PAUSE)
                work_on_job(job.pk, may_go_on=lambda: True, progress=progress)
                job.refresh_from_db()
                progress(job)
        except KeyboardInterrupt:
            refuse(
                f"Interrupted. The schedule goes on with job {job.pk}. To end it, run "
                f"manage.py jobs {job.pk} --cancel."
            )
        finally:
            if is_terminal:
                self.stdout.write("")
