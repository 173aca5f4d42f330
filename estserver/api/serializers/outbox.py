"""What waits: the rows of the outbox for AWS IoT, and post hooks that have not succeeded."""

from rest_framework import serializers

from estserver.api.serializers.inputs import Choice, PageInput, Reasoned, Text
from estserver.api.serializers.outputs import Output
from iotprov.models import Provisioning


class OutboxPage(PageInput):
    """Filters, and which page."""

    state = Choice(choices=Provisioning.State.values, required=False)


class OutboxRow(Output):
    """A certificate at a target of AWS IoT."""

    id = serializers.UUIDField()
    state = serializers.CharField(help_text="pending, settled, or parked until a person retries it")
    common_name = serializers.CharField(source="certificate.common_name")
    serial_number = serializers.CharField(source="certificate.serial_number")
    thing_name = serializers.CharField(help_text="In AWS IoT; empty before there is one.")
    target = serializers.CharField()
    attempts = serializers.IntegerField(help_text="Failed ones in a row.")
    next_attempt_at = serializers.DateTimeField(allow_null=True)
    pending_since = serializers.DateTimeField(allow_null=True)
    aws_status = serializers.CharField(help_text="Of the certificate in AWS IoT, as last seen.")
    error = serializers.CharField()
    note = serializers.CharField()


class RetryInput(Reasoned):
    """Why a row is due again. The reason may be left out, as on the page."""

    reason = Text(required=False, default="", help_text="Kept on the audit trail.")


class Hook(Output):
    """A post hook that has not succeeded yet."""

    id = serializers.UUIDField()
    common_name = serializers.CharField(source="certificate.common_name")
    serial_number = serializers.CharField(source="certificate.serial_number")
    operation = serializers.CharField(source="certificate.operation")
    label = serializers.CharField()  # type: ignore[assignment]  # a field, not the property
    attempts = serializers.IntegerField()
    next_attempt_at = serializers.DateTimeField()
    error = serializers.CharField(source="last_error")
