"""``manage.py webhooks``: who is told of events, and what became of each message."""

import uuid
from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandParser
from django.db.models import QuerySet
from django.views.decorators.debug import sensitive_variables

from estserver.models import Message, Webhook
from estserver.webhooks.events import MEANINGS
from estserver.webhooks.post import origin
from estserver.webhooks.subscriptions import (
    add_webhook,
    end_webhook,
    find_webhook,
    redeliver,
    rotate_secret,
    test_webhook,
)
from pki.management.certificate_facts import moment
from pki.management.listing import ListCommand
from pki.operators.command import OperatorCommand, command_actor, refuse
from pki.operators.effects import Effect
from pki.operators.subcommands import CommandGroup


class ListWebhooks(ListCommand):
    """See ``help``."""

    help = "List the active webhooks."
    model = Webhook
    columns = ("name", "state", "host", "events", "id")
    has_search = False
    empty = "There is no webhook. manage.py webhooks add NAME URL adds one."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add which ones."""
        super().add_arguments(parser)
        parser.add_argument("--all", action="store_true", help="the ended ones too")

    def rows(self, options: Mapping[str, Any]) -> QuerySet[Any]:
        """Return the active ones, or all."""
        found = super().rows(options)
        return found if options["all"] else found.filter(ended_at=None)

    def facts(self, row: Webhook) -> dict[str, Any]:
        """Return a webhook as JSON values."""
        return _webhook(row)


class ListMessages(ListCommand):
    """See ``help``."""

    help = "List the messages of the last 31 days, newest first."
    model = Message
    columns = ("state", "event", "channel", "webhook", "attempts", "error", "id")
    filters = {"state": ("state__exact", "waiting, delivered or parked")}
    has_search = False
    empty = "There is no message that fits."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add of which webhook."""
        super().add_arguments(parser)
        parser.add_argument("--webhook", metavar="NAME", help="of this webhook only: name or id")

    def rows(self, options: Mapping[str, Any]) -> QuerySet[Any]:
        """Return the messages, of one webhook if it is named."""
        found = super().rows(options).select_related("webhook")
        name = options["webhook"]
        return found.filter(webhook=find_webhook(name)) if name else found

    def facts(self, row: Message) -> dict[str, Any]:
        """Return a message as JSON values."""
        return _message(row)


class _Change(OperatorCommand):
    """A change with a reason, which a dry run takes back."""

    effect = Effect.DATABASE

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the reason."""
        parser.add_argument("--reason", required=True, help="kept on the audit trail")

    def say_secret(self, row: Webhook, secret: str, *, done: str, dry_run: bool) -> None:
        """Print the secret, once. A dry run has taken it back, and does not print it."""
        if dry_run:
            self.say(f"{done} {row.name}.", **_webhook(row))
        else:
            text = f"{done} {row.name}. Its secret is shown once: {secret}"
            self.say(text, **_webhook(row), secret=secret)


class AddWebhook(_Change):
    """See ``help``."""

    help = "Tell an address of events. Prints its secret once."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add its name, its address and its events."""
        super().add_arguments(parser)
        parser.add_argument("name", metavar="NAME", help="a short name")
        parser.add_argument("url", metavar="URL", help="https://host/path")
        parser.add_argument("--event", action="append", dest="events", metavar="EVENT", default=[])
        parser.add_argument("--every-event", action="store_true", help="in place of --event")

    @sensitive_variables()
    def handle(
        self,
        *args: Any,
        name: str,
        url: str,
        events: list[str],
        every_event: bool,
        reason: str,
        dry_run: bool,
        **options: Any,
    ) -> None:
        """Print the secret, so that a person can give it to the receiver."""
        chosen = list(MEANINGS) if every_event else events
        row, secret = add_webhook(name, url, chosen, reason=reason, actor=command_actor())
        self.say_secret(row, secret, done="Added the webhook", dry_run=dry_run)


class RotateSecret(_Change):
    """See ``help``."""

    help = "Give a webhook a new secret, and print it once."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add which one."""
        super().add_arguments(parser)
        _add_webhook_name(parser)

    @sensitive_variables()
    def handle(self, *args: Any, name: str, reason: str, dry_run: bool, **options: Any) -> None:
        """Print the new secret."""
        row = find_webhook(name)
        secret = rotate_secret(row, reason=reason, actor=command_actor())
        self.say_secret(row, secret, done="Changed the secret of", dry_run=dry_run)


class EndWebhook(_Change):
    """See ``help``."""

    help = "Tell a webhook nothing more."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add which one."""
        super().add_arguments(parser)
        _add_webhook_name(parser)

    def handle(self, *args: Any, name: str, reason: str, **options: Any) -> None:
        """Print which one has ended."""
        row = find_webhook(name)
        end_webhook(row, reason=reason, actor=command_actor())
        row.refresh_from_db()
        self.say(f"The webhook {row.name} is ended.", **_webhook(row))


class TestWebhook(OperatorCommand):
    """See ``help``."""

    __test__ = False  # no test of pytest's
    help = "Send a test event now."
    effect = Effect.RUNS

    def add_arguments(self, parser: CommandParser) -> None:
        """Add which one."""
        _add_webhook_name(parser)

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        """Print that the test was taken. Raises ``CommandError`` if it was not."""
        row = find_webhook(name)
        failure = test_webhook(row, actor=command_actor())
        if failure:
            refuse(f"The test was not taken: {failure}")
        self.say(f"{row.name} has taken the test.", name=row.name)


class Redeliver(_Change):
    """See ``help``."""

    help = "Have a message sent again, under its own id."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add which one."""
        super().add_arguments(parser)
        parser.add_argument("message", type=_message_id, metavar="ID", help="from deliveries")

    def handle(self, *args: Any, message: uuid.UUID, reason: str, **options: Any) -> None:
        """Print which one is sent again."""
        row = Message.objects.select_related("webhook").filter(pk=message).first()
        if row is None:
            refuse(f"There is no message {message}. manage.py webhooks deliveries lists them.")
        redeliver(row, reason=reason, actor=command_actor())
        row.refresh_from_db()
        self.say(f"The message {row.event} is sent again.", **_message(row))


def _add_webhook_name(parser: CommandParser) -> None:
    parser.add_argument("name", metavar="NAME", help="name or id")


def _message_id(text: str) -> uuid.UUID:
    return uuid.UUID(text.removeprefix("msg_"))


def _webhook(row: Webhook) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "name": row.name,
        "state": "active" if row.ended_at is None else "ended",
        "host": origin(row.url),
        "events": row.events,
        "created_by": row.created_by,
        "created_at": moment(row.created_at),
    }


def _message(row: Message) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "channel": row.channel,
        "webhook": row.webhook.name if row.webhook else None,
        "event": row.event,
        "state": row.state,
        "attempts": row.attempts,
        "error": row.last_error,
        "created_at": moment(row.created_at),
    }


class Command(CommandGroup):
    """See ``help``."""

    help = (
        "List webhooks and their messages, add or end a webhook, change its secret, send a test, "
        "or have a message sent again."
    )
    subcommands = {
        "list": ListWebhooks,
        "add": AddWebhook,
        "rotate": RotateSecret,
        "end": EndWebhook,
        "test": TestWebhook,
        "deliveries": ListMessages,
        "redeliver": Redeliver,
    }
