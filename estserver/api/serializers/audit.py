"""Events of the audit trail."""

from rest_framework import serializers

from estserver.api.serializers.inputs import Choice, Input, PageInput, Text
from estserver.api.serializers.outputs import Output
from pki.admin.audit import ActorFilter, KindFilter


class AuditFilters(Input):
    """What narrows a list of events, as on the console's page."""

    q = Text(required=False, max_length=1000, help_text="A request id, a name, a serial number.")
    kind = Choice(choices=list(KindFilter.choices_offered), required=False)
    who = Choice(choices=list(ActorFilter.choices_offered), required=False)
    reason = Text(required=False, max_length=200, help_text="A reason code, or words of a reason.")
    address = Text(required=False, max_length=64, help_text="Source IP.")
    actor = Text(required=False, max_length=200, help_text="Such as alice or command:root.")

    def get_fields(self) -> dict[str, serializers.Field]:  # type: ignore[type-arg]
        """Add the days, of which one is called as a word of Python."""
        first = serializers.DateField(required=False, help_text="The first day (UTC).")
        last = serializers.DateField(required=False, help_text="The last day (UTC).")
        return {**super().get_fields(), "from": first, "to": last}


class AuditPage(AuditFilters, PageInput):
    """Filters, and which page."""


class Event(Output):
    """One event. ``hash`` covers all of it, and the row before it in its chain."""

    id = serializers.UUIDField()
    at = serializers.DateTimeField()
    action = serializers.CharField()
    actor = serializers.CharField()
    target = serializers.CharField()
    reason = serializers.CharField()
    request_id = serializers.CharField()
    source_ip = serializers.CharField(allow_null=True)
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)
    chain = serializers.UUIDField()
    position = serializers.IntegerField()
    previous_hash = serializers.CharField()
    hash = serializers.CharField()


class Verified(Output):
    """The trail holds. If it does not, the answer is 409 and says where."""

    rows = serializers.IntegerField()
