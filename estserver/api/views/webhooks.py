"""Webhooks and their messages.

A webhook is added, and its secret changed, by people alone. The answer to that has the secret, and
an answer of the API may be kept in the database for a repeated request.
"""

import uuid
from typing import Any

from django.http import HttpResponseBase

from estserver.api.keyset import Selection
from estserver.api.serializers.inputs import Reasoned
from estserver.api.serializers.outputs import Said, said
from estserver.api.serializers.webhooks import Message, MessagePage, Webhook
from estserver.api.views.base import BaseView, ListView, Request, Response, not_found
from estserver.models import Message as MessageRow
from estserver.models import Webhook as WebhookRow
from estserver.webhooks.subscriptions import end_webhook, redeliver
from pki.operators.errors import OperatorError


class Webhooks(ListView):
    """The webhooks, newest first, ended ones too."""

    permissions = {"GET": ("estserver.view_webhook",)}
    row = Webhook

    def select(self, filters: dict[str, Any]) -> Selection:
        """Return all of them."""
        return Selection(WebhookRow.objects.all())


class WebhookEnd(BaseView):
    """End a webhook."""

    permissions = {"POST": ("estserver.change_webhook",)}
    takes = {"POST": Reasoned}
    returns = {"POST": Said}

    def post(self, request: Request, webhook: uuid.UUID) -> HttpResponseBase:
        """Tell a webhook nothing more, not even what waits."""
        asked, row = self.body(), WebhookRow.objects.filter(pk=webhook).first()
        if row is None:
            raise not_found(f"There is no webhook {webhook}.")
        if asked["dry_run"]:
            if row.ended_at is not None:
                raise OperatorError(f"The webhook {row.name} was ended before.")
            return Response(said("would-end", f"{row.name} would be ended.", dry_run=True))

        def end() -> Response:
            end_webhook(row, reason=asked["reason"], actor=self.actor)
            return Response(said("ended", f"The webhook {row.name} is ended."))

        return self.carry_out(end)


class Messages(ListView):
    """The messages of the last 31 days, newest first."""

    permissions = {"GET": ("estserver.view_message",)}
    query = MessagePage
    row = Message

    def select(self, filters: dict[str, Any]) -> Selection:
        """Return the messages that the filters leave."""
        rows = MessageRow.objects.select_related("webhook").defer("body")
        if filters.get("state"):
            rows = rows.filter(state=filters["state"])
        return Selection(rows)


class MessageAgain(BaseView):
    """Send a message again."""

    permissions = {"POST": ("estserver.change_message",)}
    takes = {"POST": Reasoned}
    returns = {"POST": Said}

    def post(self, request: Request, message: uuid.UUID) -> HttpResponseBase:
        """Have a message sent again within a minute, under its own id."""
        asked = self.body()
        row = MessageRow.objects.select_related("webhook").filter(pk=message).first()
        if row is None:
            raise not_found(f"There is no message {message}.")
        if asked["dry_run"]:
            if row.webhook is not None and row.webhook.ended_at is not None:
                raise OperatorError(f"The webhook {row.webhook.name} was ended.")
            return Response(said("would-send", f"{row} would be sent again.", dry_run=True))

        def send() -> Response:
            redeliver(row, reason=asked["reason"], actor=self.actor)
            return Response(said("sent-again", f"{row} is sent again within a minute."))

        return self.carry_out(send)
