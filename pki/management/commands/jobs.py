"""List, cancel and continue jobs."""

import uuid
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from pki.jobs.lifecycle import cancel_job, continue_job
from pki.management.commands.export_certificates import save as write_file
from pki.models import Job, JobLine
from pki.operators.command import OperatorCommand, command_actor, refuse
from pki.operators.effects import Effect

_MOST = 50


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "List the newest jobs, or show one with the lines that failed. The schedule works on them."
    )
    effect = Effect.DATABASE

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the job, and what to do with it."""
        parser.add_argument("job", type=uuid.UUID, nargs="?", metavar="ID")
        change = parser.add_mutually_exclusive_group()
        change.add_argument("--cancel", action="store_true", help="begin no further lines")
        change.add_argument(
            "--continue",
            action="store_true",
            dest="go_on",
            help="work on the lines that failed and on those that were not reached",
        )
        change.add_argument(
            "--save", type=Path, metavar="FILE", help="write the file of a finished export"
        )
        parser.add_argument("--reason", default="", help="kept on the audit trail")

    def handle(
        self,
        *args: Any,
        job: uuid.UUID | None,
        cancel: bool,
        go_on: bool,
        save: Path | None,
        reason: str,
        dry_run: bool,
        **options: Any,
    ) -> None:
        """Print a line for each job, or the one job's failures."""
        if job is None:
            if cancel or go_on or save:
                refuse("No job is named. Give its id, which manage.py jobs lists.")
            for row in Job.objects.all()[:_MOST]:
                self._say(row)
            return
        found = Job.objects.filter(pk=job).first()
        if found is None:
            refuse(f"There is no job {job}. manage.py jobs lists the newest.")
        if cancel:
            cancel_job(found, actor=command_actor(), reason=reason)
        elif go_on:
            continue_job(found, actor=command_actor())
        elif save and not dry_run:
            write_file(found, save)
        self._say(found)
        for line in found.lines.filter(state=JobLine.State.FAILED).order_by("number").iterator():
            self.say(
                f"{line}: {line.result}",
                line=line.number,
                subject=line.subject,
                result=line.result,
            )

    def _say(self, row: Job) -> None:
        error = f": {row.error}" if row.error else ""
        self.say(f"{row.pk} {row.kind} {row.state}, {row.progress}{error}", **job_facts(row))


def job_facts(row: Job) -> dict[str, Any]:
    """Return a job as JSON values."""
    return {
        "id": str(row.pk),
        "kind": row.kind,
        "state": row.state,
        "actor": row.actor,
        "created_at": row.created_at.isoformat(),
        "ended_at": row.ended_at and row.ended_at.isoformat(),
        "total": row.total,
        "done": row.done,
        "failed": row.failed,
        "error": row.error,
    }
