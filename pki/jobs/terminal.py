"""What commands that start a job share: they work on it, show progress, and say how it ended."""

import time

from django.core.management.base import CommandParser

from pki.jobs.worker import work_on_job
from pki.models import Job, JobLine
from pki.operators.command import OperatorCommand, refuse
from pki.operators.progress import ProgressBar

_PAUSE = 1.0
"""Seconds between two looks at a job that another worker holds."""


class JobCommand(OperatorCommand):
    """A command that starts a job, which the schedule goes on with if the command ends early."""

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``--no-wait``."""
        parser.add_argument("--no-wait", action="store_true", help="leave it to the schedule")

    def follow(self, job: Job, *, no_wait: bool) -> None:
        """Work on the job until it ends, unless ``no_wait``, and print what failed and its end.

        Raises ``CommandError`` if it was stopped, or if lines failed.
        """
        if not no_wait:
            self._work_on(job)
        job.refresh_from_db()
        for line in job.lines.filter(state=JobLine.State.FAILED).order_by("number").iterator():
            self.say(
                f"{line}: {line.result}",
                line=line.number,
                subject=line.subject,
                result=line.result,
            )
        self.say(
            f"job {job.pk}: {job.state}, {job.progress}",
            job=str(job.pk),
            state=job.state,
            done=job.done,
            failed=job.failed,
            total=job.total,
        )
        if job.error:
            refuse(job.error)
        if job.failed:
            refuse(
                f"{job.failed} of {job.total} lines failed, and are listed above. The others are "
                f"done. manage.py jobs {job.pk} --continue repeats those that failed."
            )

    def _work_on(self, job: Job) -> None:
        bar = ProgressBar(self.stdout)

        def progress(row: Job) -> None:
            bar.show(row.done + row.failed, row.total, row.progress)

        try:
            work_on_job(job.pk, may_go_on=lambda: True, progress=progress)
            job.refresh_from_db()
            while job.state in (Job.State.RUNNING, Job.State.CANCELLING):  # another holds it
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
            bar.end()
