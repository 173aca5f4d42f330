"""Webhooks and their messages. No field has a secret, nor the path of an address."""

from rest_framework import serializers

from estserver.api.serializers.inputs import Choice, PageInput
from estserver.api.serializers.outputs import Output
from estserver.models import Message as MessageRow
from estserver.models import Webhook as WebhookRow
from estserver.webhooks.post import origin


class Webhook(Output):
    """An address that is told of events."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    host = serializers.SerializerMethodField(help_text="Scheme and host of its address.")
    events = serializers.ListField(child=serializers.CharField())
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True, help_text="null: it is active.")

    def get_host(self, row: WebhookRow) -> str:
        """Return where it leads, without the path, which may be the receiver's secret."""
        return origin(row.url)


class MessagePage(PageInput):
    """Filters, and which page."""

    state = Choice(choices=MessageRow.State.values, required=False)


class Message(Output):
    """A message to a webhook, by e-mail or to a topic of SNS."""

    id = serializers.UUIDField()
    channel = serializers.CharField()
    webhook = serializers.CharField(
        source="webhook.name", allow_null=True, default=None, help_text="Its name."
    )
    event = serializers.CharField()
    subject = serializers.CharField()
    state = serializers.CharField(help_text="waiting, delivered, or parked when it was given up")
    attempts = serializers.IntegerField()
    error = serializers.CharField(source="last_error")
    created_at = serializers.DateTimeField()
    next_attempt_at = serializers.DateTimeField()
    settled_at = serializers.DateTimeField(allow_null=True)
