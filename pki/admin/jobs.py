"""The page of jobs: progress, results a line, cancel and continue."""

import csv
import io
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from pki.admin.display import minute, moment, words
from pki.admin.downloads import Download, csv_cell, file_name
from pki.admin.facts import FactAdmin
from pki.admin.operations import Done, EmptyForm, Operation
from pki.jobs.lifecycle import cancel_job, continue_job
from pki.models import Job
from pki.record.audit_trail import Actor

_REFRESH_SECONDS = 5
State = Job.State


class Cancel(Operation):
    """Cancel a job."""

    slug = "cancel"
    label = "Cancel the job"
    is_dangerous = True

    @classmethod
    def obstacle(cls, row: Job) -> str:
        """Only a job that has lines left can be cancelled."""
        if row.state in (State.FINISHED, State.CANCELLED):
            return f"The job is {row.state} already ({row.progress})."
        return ""

    def effects(self) -> list[str]:
        """Say what stays done."""
        return [
            f"So far: {self.row.progress}. What was done stays done.",
            "The lines that are being worked on now are finished. The others are not begun.",
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py jobs ID --cancel`` does."""
        cancel_job(self.row, actor=actor, reason=form.cleaned_data["reason"])
        return Done(f"The job is cancelled: {self.row.progress}.", self.row)


class Continue(Operation):
    """Continue a job that an error stopped, or repeat the lines that failed."""

    slug = "continue"
    label = "Continue the job"
    form_class = EmptyForm

    @classmethod
    def obstacle(cls, row: Job) -> str:
        """Only a job that ended with work left can be continued."""
        if row.state == State.FAILED or (row.state == State.FINISHED and row.failed):
            return ""
        return f"The job is {row.state}, and no line is to be repeated."

    def effects(self) -> list[str]:
        """Say which lines are worked on."""
        return ["The lines that failed, and those that were not reached, are worked on."]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py jobs ID --continue`` does."""
        continue_job(self.row, actor=actor)
        return Done("The job goes on within a minute.", self.row)


def _results(job: Job) -> Download:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["line", "subject", "state", "result"])
    lines = job.lines.order_by("number").values_list("number", "subject", "state", "result")
    for number, *texts in lines.iterator():
        writer.writerow([number, *map(csv_cell, texts)])
    name = file_name(job.kind, str(job.pk), suffix="csv")
    return Download(name, "text/csv; charset=utf-8", file.getvalue().encode())


@admin.register(Job)
class JobAdmin(FactAdmin):
    """The jobs, newest first."""

    list_display = (
        words("kind"),
        words("progress"),
        words("state"),
        words("actor", "who"),
        minute("created_at", "started"),
    )
    empty_words = "No job was started yet. Select many certificates, or run manage.py revoke_list."
    operations = (Cancel, Continue)
    downloads = {"results": ("Results as CSV", _results)}
    groups = (
        (
            None,
            (
                words("kind"),
                words("state"),
                words("progress"),
                words("error"),
                words("actor", "who"),
                moment("created_at", "started"),
                moment("ended_at", "ended"),
            ),
        ),
    )

    def audit_term(self, row: Job) -> str:
        """Find all that the job did: its id is the request id of those events."""
        return str(row.pk)

    def render_change_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Have the browser load the page of an open job again. A header needs no script."""
        response = super().render_change_form(request, *args, **kwargs)
        job = kwargs.get("obj")
        if isinstance(job, Job) and job.state in (State.PREPARING, State.RUNNING):
            response["Refresh"] = str(_REFRESH_SECONDS)
        return response
