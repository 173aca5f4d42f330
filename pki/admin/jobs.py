"""The page of jobs: progress, results a line, cancel and continue."""

import csv
import io
import uuid
from typing import Any

from django import forms
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy, gettext_noop

from pki.admin.display import EMPTY, chip, minute, moment, table, visible, words
from pki.admin.downloads import Download, attachment, csv_cell, file_name
from pki.admin.facts import FactAdmin
from pki.admin.operations import Done, EmptyForm, Operation
from pki.jobs.exporting import file_of, has_file, pieces_of
from pki.jobs.lifecycle import cancel_job, continue_job
from pki.jobs.registry import title_of
from pki.models import Job, JobLine
from pki.operators.rights import NotAllowed
from pki.record.audit_trail import Actor

_REFRESH_SECONDS = 5
MOST_FAILED = 20
"""Lines that failed, as many as a job's page shows."""

_MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "pem": "application/x-pem-file"}
State = Job.State
_OPEN = (State.PREPARING, State.RUNNING, State.CANCELLING)


class Cancel(Operation):
    """Cancel a job."""

    slug = "cancel"
    label = gettext_noop("Cancel the job")
    is_dangerous = True

    @classmethod
    def obstacle(cls, row: Job) -> str:
        """Only a job that has lines left can be cancelled."""
        if row.state in (State.FINISHED, State.CANCELLED, State.CANCELLING):
            return gettext("The job is {state} already ({progress}).").format(
                state=row.state, progress=row.progress
            )
        return ""

    def effects(self) -> list[str]:
        """Say what stays done."""
        return [
            gettext("So far: {progress}. What was done stays done.").format(
                progress=self.row.progress
            ),
            gettext(
                "The lines that are being worked on now are finished. The others are not begun."
            ),
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py jobs ID --cancel`` does."""
        cancel_job(self.row, actor=actor, reason=form.cleaned_data["reason"])
        return Done(
            gettext("The job is cancelled: {progress}.").format(progress=self.row.progress),
            self.row,
        )


class Continue(Operation):
    """Continue a job that an error stopped, or repeat the lines that failed."""

    slug = "continue"
    label = gettext_noop("Continue the job")
    form_class = EmptyForm

    @classmethod
    def obstacle(cls, row: Job) -> str:
        """Only a job that ended with work left can be continued."""
        if row.state == State.FAILED or (row.state == State.FINISHED and row.failed):
            return ""
        return gettext("The job is {state}, and no line is to be repeated.").format(state=row.state)

    def effects(self) -> list[str]:
        """Say which lines are worked on."""
        return [gettext("The lines that failed, and those that were not reached, are worked on.")]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py jobs ID --continue`` does."""
        continue_job(self.row, actor=actor)
        return Done(gettext("The job goes on within a minute."), self.row)


def _results(job: Job) -> Download:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["line", "subject", "state", "result"])
    lines = job.lines.order_by("number").values_list("number", "subject", "state", "result")
    for number, *texts in lines.iterator():
        writer.writerow([number, *map(csv_cell, texts)])
    name = file_name(job.kind, str(job.pk), suffix="csv")
    return Download(name, "text/csv; charset=utf-8", file.getvalue().encode())


def _files(row: Job) -> str:
    """Show the pieces of an export's file, each small enough for a Lambda function's answer."""
    if not has_file(row):
        return EMPTY
    url = reverse("admin:pki_job_file", args=[row.pk])
    links = [(f"{url}?piece={piece}", f"Piece {piece + 1}") for piece in range(pieces_of(row))]
    whole = [(url, "The whole file")]
    return format_html_join(", ", '<a href="{}">{}</a>', [*whole, *(links if links[1:] else [])])


_files.short_description = "file"  # type: ignore[attr-defined]


@admin.display(description=gettext_lazy("what it does"), ordering="kind")
def _title(row: Job) -> str:
    return visible(gettext(title_of(row.kind)))


@admin.display(description=gettext_lazy("progress"))
def _progress(row: Job) -> str:
    """Show how far the job got, as a bar and in words."""
    if not row.total:
        return visible(row.progress)
    return format_html(
        '<progress max="{}" value="{}" aria-label="{}"></progress> {}',
        row.total,
        min(row.done + row.failed, row.total),
        gettext("progress"),
        row.progress,
    )


@admin.display(description=gettext_lazy("lines that failed"))
def _failed_lines(row: Job) -> str:
    """Show the first lines that failed, each with its error."""
    if not row.failed:
        return gettext("none")
    failed = row.lines.filter(state=JobLine.State.FAILED).order_by("number")
    found = list(failed.only("subject", "result")[: MOST_FAILED + 1])
    lines = table(
        ("What", "Error"),
        ((visible(one.subject), visible(one.result)) for one in found[:MOST_FAILED]),
    )
    if len(found) <= MOST_FAILED:
        return lines
    more = gettext("More lines failed. All results are in the file above.")
    return format_html("{}<p>{}</p>", lines, more)


_STATE_CHIPS = {
    State.PREPARING: "open",
    State.RUNNING: "open",
    State.CANCELLING: "open",
    State.FINISHED: "good",
    State.FAILED: "bad",
    State.CANCELLED: "past",
}


@admin.display(description=gettext_lazy("state"), ordering="state")
def _state(row: Job) -> SafeString:
    state = State(row.state)
    return chip(str(state.label), _STATE_CHIPS[state])


@admin.register(Job)
class JobAdmin(FactAdmin):
    """The jobs, newest first."""

    list_display = (
        _title,
        _progress,
        _state,
        words("actor", "who"),
        minute("created_at", "started"),
    )
    empty_words = gettext_noop(
        "No job was started yet. Filter the list of certificates and choose what becomes of all "
        "that match, or run manage.py revoke_list."
    )
    operations = (Cancel, Continue)
    downloads = {"results": ("Results as CSV", _results)}
    groups = (
        (
            None,
            (
                _title,
                _state,
                _progress,
                words("error"),
                _failed_lines,
                words("actor", "who"),
                moment("created_at", "started"),
                moment("ended_at", "ended"),
                _files,
            ),
        ),
    )

    def get_urls(self) -> list[URLPattern]:
        """Add the address of an export's file."""
        view = self.admin_site.admin_view(self.file_view)
        return [path("<uuid:object_id>/file", view, name="pki_job_file"), *super().get_urls()]

    def file_view(self, request: HttpRequest, object_id: uuid.UUID) -> StreamingHttpResponse:
        """Answer with the file of an export, or a piece of it, as an attachment.

        Whoever may not see certificates does not get them by way of a job.
        """
        job = self.get_object(request, str(object_id))
        if not self._may_see_files(request):
            raise NotAllowed(self._may_see_files)
        piece = request.GET.get("piece", "")
        if job is None or not has_file(job) or not (piece.isdecimal() or not piece):
            raise Http404
        number = int(piece[:9]) if piece else None
        if number is not None and number >= pieces_of(job):
            raise Http404
        form = job.parameters["form"]
        name = file_name(
            "certificates", *([f"{number + 1}"] if number is not None else []), suffix=form
        )
        return StreamingHttpResponse(
            (text.encode() for text in file_of(job, piece=number)),
            content_type=_MEDIA_TYPES[form],
            headers=attachment(name),
        )

    def _may_see_files(self, request: HttpRequest) -> bool:
        may_see = request.user.has_perm("pki.view_issuedcertificate")
        return may_see and self.has_view_permission(request)

    def audit_term(self, row: Job) -> str:
        """Find all that the job did: its id is the request id of those events."""
        return str(row.pk)

    def render_change_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Have the browser load the page of an open job again. A header needs no script."""
        response = super().render_change_form(request, *args, **kwargs)
        job = kwargs.get("obj")
        if isinstance(job, Job) and job.state in _OPEN:
            response["Refresh"] = str(_REFRESH_SECONDS)
        return response
