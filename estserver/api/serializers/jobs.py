"""Jobs and their lines."""

from rest_framework import serializers

from estserver.api.serializers.inputs import Choice, Input, PageInput, Text
from estserver.api.serializers.outputs import Output
from pki.models import Job as JobRow
from pki.models import JobLine


class JobPage(PageInput):
    """Filters, and which page."""

    state = Choice(choices=JobRow.State.values, required=False)
    kind = Text(required=False, max_length=40, help_text="Such as revoke, deny-import or export.")


class Job(Output):
    """A job: one bulk action, and how far it got."""

    id = serializers.UUIDField()
    kind = serializers.CharField()
    state = serializers.CharField()
    progress = serializers.CharField()
    total = serializers.IntegerField()
    done = serializers.IntegerField()
    failed = serializers.IntegerField()
    error = serializers.CharField()
    actor = serializers.CharField()
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class LinePage(PageInput):
    """Filters, and which page."""

    state = Choice(choices=JobLine.State.values, required=False)


class Line(Output):
    """One thing that a job acts on, and what came of it."""

    number = serializers.IntegerField()
    subject = serializers.CharField()
    state = serializers.CharField()
    result = serializers.CharField()


class CancelInput(Input):
    """Why a job is cancelled."""

    reason = Text(help_text="Kept on the audit trail.")
    dry_run = serializers.BooleanField(default=False)


class ContinueInput(Input):
    """Whether it is only asked what would happen."""

    dry_run = serializers.BooleanField(default=False)
