"""Jobs: list, read with lines, the file of an export, cancel, continue."""

import uuid
from typing import Any

from django.http import HttpResponseBase, StreamingHttpResponse

from estserver.api.keyset import Order, Selection
from estserver.api.serializers.jobs import (
    CancelInput,
    ContinueInput,
    Job,
    JobPage,
    Line,
    LinePage,
)
from estserver.api.serializers.outputs import Said, said
from estserver.api.views.base import BaseView, ListView, Request, Response, not_found
from pki.admin.downloads import attachment, file_name
from pki.admin.jobs import Cancel, Continue
from pki.jobs.exporting import file_of, has_file
from pki.jobs.lifecycle import cancel_job, continue_job
from pki.models import Job as JobRow
from pki.operators.errors import OperatorError

VIEW = "pki.view_job"
CHANGE = "pki.change_job"


def job_with(pk: uuid.UUID) -> JobRow:
    """Return the job. Raises ``APIRefusal`` if there is none."""
    row = JobRow.objects.filter(pk=pk).first()
    if row is None:
        raise not_found(f"There is no job {pk}.")
    return row


class Jobs(ListView):
    """The jobs, newest first."""

    permissions = {"GET": (VIEW,)}
    query = JobPage
    row = Job

    def select(self, filters: dict[str, Any]) -> Selection:
        """Return the jobs that the filters leave."""
        return Selection(JobRow.objects.filter(**{name: v for name, v in filters.items() if v}))


class JobDetail(BaseView):
    """One job."""

    permissions = {"GET": (VIEW,)}
    returns = {"GET": Job}

    def get(self, request: Request, job: uuid.UUID) -> HttpResponseBase:
        """Return one job, with how far it got."""
        return Response(Job(job_with(job)).data)


class JobLines(ListView):
    """The lines of a job, in their order."""

    permissions = {"GET": (VIEW,)}
    query = LinePage
    row = Line

    def select(self, filters: dict[str, Any]) -> Selection:
        """Return the lines that the filters leave."""
        rows = job_with(self.kwargs["job"]).lines.defer("details")
        if filters.get("state"):
            rows = rows.filter(state=filters["state"])
        return Selection(rows, Order("number", is_descending=False))


class JobFile(BaseView):
    """The file of a finished export, for a week."""

    permissions = {"GET": (VIEW, "pki.view_issuedcertificate")}
    returns = {"GET": "application/octet-stream"}

    def get(self, request: Request, job: uuid.UUID) -> HttpResponseBase:
        """Return the file that a finished export has written."""
        row = job_with(job)
        if not has_file(row):
            raise not_found(f"The job {row.pk} has no file, or not yet.")
        return StreamingHttpResponse(
            (text.encode() for text in file_of(row)),
            content_type="application/octet-stream",
            headers=attachment(file_name("certificates", suffix=row.parameters["form"])),
        )


class JobCancel(BaseView):
    """Cancel a job."""

    permissions = {"POST": (CHANGE,)}
    takes = {"POST": CancelInput}
    returns = {"POST": Said}

    def post(self, request: Request, job: uuid.UUID) -> HttpResponseBase:
        """Begin no further lines of a job. What was done stays done."""
        asked, row = self.body(), job_with(job)
        if asked["dry_run"]:
            return _would(Cancel.obstacle(row), "would-cancel", f"So far: {row.progress}.")

        def cancel() -> Response:
            cancel_job(row, actor=self.actor, reason=asked["reason"])
            return Response(said("cancelled", f"The job is cancelled: {row.progress}."))

        return self.carry_out(cancel)


class JobContinue(BaseView):
    """Continue a job that an error stopped, or repeat the lines that failed."""

    permissions = {"POST": (CHANGE,)}
    takes = {"POST": ContinueInput}
    returns = {"POST": Said}

    def post(self, request: Request, job: uuid.UUID) -> HttpResponseBase:
        """Work on the lines that failed, and on those that were not reached."""
        asked, row = self.body(), job_with(job)
        if asked["dry_run"]:
            return _would(Continue.obstacle(row), "would-continue", "The job would go on.")

        def go_on() -> Response:
            continue_job(row, actor=self.actor)
            return Response(said("continued", "The job goes on within a minute."))

        return self.carry_out(go_on)


def _would(obstacle: str, outcome: str, detail: str) -> Response:
    if obstacle:
        raise OperatorError(obstacle)
    return Response(said(outcome, detail, dry_run=True))
