"""Bulk actions: a row each, with a line for each thing that it acts on."""

import datetime

from django.db import models
from django.db.models import Q
from django.utils import timezone

from pki.models.fields import IdentifierField, UniqueOrNullField


class JobQuerySet(models.QuerySet["Job"]):
    """Selections of jobs."""

    def open(self) -> "JobQuerySet":
        """Return the jobs that a worker still has to work on, or to clear up after."""
        return self.filter(state__in=(Job.State.RUNNING, Job.State.CANCELLING))

    def due(self, at: datetime.datetime) -> "JobQuerySet":
        """Return the open jobs that no worker holds at ``at``."""
        return self.open().filter(Q(leased_until=None) | Q(leased_until__lte=at))


class Job(models.Model):
    """One bulk action: what is done, by whom, and how far it got. `pki.jobs` has the rules."""

    class State(models.TextChoices):
        """The states of a job."""

        PREPARING = "preparing", "Preparing"
        RUNNING = "running", "Running"
        FINISHED = "finished", "Finished"
        FAILED = "failed", "Stopped by an error"
        CANCELLING = "cancelling", "Being cancelled"
        CANCELLED = "cancelled", "Cancelled"

    id = IdentifierField()
    kind = models.CharField(max_length=40)
    parameters = models.JSONField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.PREPARING)
    actor = models.CharField(max_length=200)
    source_ip = models.GenericIPAddressField("source IP", null=True, blank=True)
    request_key = UniqueOrNullField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    ended_at = models.DateTimeField(null=True, blank=True)
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    position = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=1000, blank=True, default="")
    lease = models.UUIDField(null=True, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    last_turn_at = models.DateTimeField(null=True, blank=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    @property
    def progress(self) -> str:
        """How far the job got, in words."""
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.done + self.failed} of {self.total} lines{failed}"


class JobLine(models.Model):
    """One thing that a job acts on, and what came of it."""

    class State(models.TextChoices):
        """The states of a line."""

        WAITING = "waiting", "Waiting"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    id = IdentifierField()
    # No index of its own: the unique rule below has the job first.
    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="lines", db_index=False)
    number = models.PositiveIntegerField()
    subject = models.CharField(max_length=200)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    result = models.CharField(max_length=1000, blank=True, default="")
    # What the kind has to know beside the subject.
    details = models.JSONField(null=True, blank=True)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["job", "number"], name="job_line_number")]

    def __str__(self) -> str:
        return f"line {self.number}: {self.subject}"


class JobPart(models.Model):
    """A part of the file that a job writes."""

    id = IdentifierField()
    # No index of its own: the unique rule below has the job first.
    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="parts", db_index=False)
    number = models.PositiveIntegerField()
    content = models.TextField()

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["job", "number"], name="job_part_number")]

    def __str__(self) -> str:
        return f"part {self.number} of {self.job_id}"
