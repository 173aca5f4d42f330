"""The pages of webhooks, and of the messages to them, to mail servers and to topics."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from estserver.console.delivery.webhook_operations import (
    AddWebhook,
    EndWebhook,
    RotateSecret,
    SendAgain,
    TestWebhook,
)
from estserver.models import Message, Webhook
from estserver.webhooks.post import origin
from pki.admin import FactAdmin
from pki.admin.display import EMPTY, chip, link, list_of, minute, moment, utc, visible, words
from pki.admin.filters import titled

_CHIPS = {
    Message.State.WAITING: "soon",
    Message.State.DELIVERED: "good",
    Message.State.PARKED: "bad",
}


@admin.register(Webhook)
class WebhookAdmin(FactAdmin):
    """Webhooks, active and ended. No page has a secret, nor the path of an address."""

    list_display = (
        "status",
        words("name"),
        "host",
        "event_names",
        words("created_by", "by"),
        minute("created_at", "since"),
    )
    list_display_links = (list_display[1],)
    empty_words = (
        "Nobody is told of events. “Add a webhook” above adds an address, as `manage.py webhooks "
        "add` does."
    )
    operations = (AddWebhook, TestWebhook, RotateSecret, EndWebhook)
    groups = (
        (
            None,
            (
                "status",
                words("name"),
                "host",
                "event_names",
                "secrets",
                "messages",
                words("created_by", "by"),
                moment("created_at", "since"),
                moment("ended_at", "ended"),
                moment("read_until", "told of all until"),
            ),
        ),
    )

    def audit_term(self, row: Webhook) -> str:
        """Return the target of the webhook's events."""
        return f"webhook:{row.name}"

    @admin.display(description="status")
    def status(self, row: Webhook) -> SafeString:
        """Show whether it is told of events."""
        return chip("Active", "good") if row.ended_at is None else chip("Ended", "past")

    @admin.display(description="host")
    def host(self, row: Webhook) -> str:
        """Show where it leads, without the path."""
        return visible(origin(row.url))

    @admin.display(description="events")
    def event_names(self, row: Webhook) -> str:
        """Show what it is told of."""
        return visible(", ".join(row.events))

    @admin.display(description="secret")
    def secrets(self, row: Webhook) -> str:
        """Say which secrets sign, and nothing of them."""
        if row.ended_at is not None:
            return EMPTY
        if row.earlier_until is not None and row.earlier_until > timezone.now():
            return format_html("set; the earlier one signs too until {}", utc(row.earlier_until))
        return "set"

    @admin.display(description="messages")
    def messages(self, row: Webhook) -> SafeString:
        """Lead to the messages to this webhook."""
        url = list_of(Message, webhook__id__exact=str(row.pk))
        return format_html('<a href="{}">Messages</a>', url)


@admin.register(Message)
class MessageAdmin(FactAdmin):
    """Messages of the last 31 days, newest first."""

    list_display = (
        "status",
        words("event"),
        "receiver",
        "attempts",
        words("last_error", "last error"),
        minute("next_attempt_at", "next attempt"),
        minute("created_at", "since"),
    )
    list_display_links = (list_display[1],)
    list_filter = ("state", "channel", ("webhook", titled("webhook", admin.RelatedFieldListFilter)))
    empty_words = (
        "There is no message. Webhooks are told of events, and noticeEmails or noticeTopicArn of "
        "notices."
    )
    operations = (SendAgain,)
    groups = (
        (
            None,
            (
                "status",
                words("event"),
                "receiver",
                "identifier",
                words("subject"),
                "text",
                "attempts",
                words("last_error", "last error"),
                moment("created_at", "since"),
                "next",
                moment("settled_at", "taken or given up"),
            ),
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Read the webhooks of the page in a statement of their own."""
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.prefetch_related("webhook")

    def audit_term(self, row: Message) -> str:
        """Return the target of the message's events."""
        return f"message:{row.pk}"

    @admin.display(description="status", ordering="state")
    def status(self, row: Message) -> SafeString:
        """Show how far it is."""
        state = Message.State(row.state)
        return chip(str(state.label), _CHIPS[state])

    @admin.display(description="to")
    def receiver(self, row: Message) -> str:
        """Show who gets it."""
        return link(row.webhook) if row.webhook else row.get_channel_display()

    @admin.display(description="id")
    def identifier(self, row: Message) -> str:
        """Show the id by which the receiver knows it."""
        is_webhook = row.channel == Message.Channel.WEBHOOK
        return f"msg_{row.pk.hex}" if is_webhook else row.pk.hex

    @admin.display(description="contents")
    def text(self, row: Message) -> SafeString:
        """Show what is sent."""
        said = row.body
        if row.channel == Message.Channel.WEBHOOK:
            said = json.dumps(json.loads(row.body), indent=2)
        lines = "\n".join(map(visible, said.split("\n")))
        return format_html("<pre>{}</pre>", lines)

    @admin.display(description="next attempt")
    def next(self, row: Message) -> str:
        """Show when it is tried again."""
        return utc(row.next_attempt_at) if row.state == Message.State.WAITING else EMPTY
