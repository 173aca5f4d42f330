"""``manage.py webhooks``: who is told of events, and what became of each message."""

import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from django.core.management.base import CommandParser
from django.db import models

from pki.operators.command import REFUSED, OperatorCommand, command_actor, refuse
from pki.operators.effects import Effect

_MOST = 200


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "List webhooks and their messages, add or end a webhook, change its secret, send a test, "
        "or have a message sent again."
    )
    effect = Effect.MORE
    effects_of_subcommands = {
        "list": Effect.READS,
        "deliveries": Effect.READS,
        "test": Effect.RUNS,
    }

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what to do, and with which webhook or message."""
        what = parser.add_subparsers(dest="what", required=True, metavar="WHAT")

        def add(name: str, text: str, *, writes: bool = False) -> CommandParser:
            one: CommandParser = what.add_parser(name, help=text, description=text)
            one.add_argument("--json", action="store_true", help="one JSON object a line")
            if writes:
                one.add_argument("--reason", required=True, help="kept on the audit trail")
                one.add_argument("--dry-run", action="store_true", help="only say what would be")
            return one

        listed = add("list", "List the active webhooks.")
        listed.add_argument("--all", action="store_true", help="the ended ones too")
        added = add("add", "Tell an address of events. Prints its secret once.", writes=True)
        added.add_argument("name", metavar="NAME", help="a short name")
        added.add_argument("url", metavar="URL", help="https://host/path")
        added.add_argument("--event", action="append", dest="events", metavar="EVENT", default=[])
        added.add_argument("--every-event", action="store_true", help="in place of --event")
        for name, text, writes in (
            ("rotate", "Give a webhook a new secret, and print it once.", True),
            ("end", "Tell a webhook nothing more.", True),
            ("test", "Send a test event now.", False),
        ):
            add(name, text, writes=writes).add_argument("name", metavar="NAME", help="name or id")
        deliveries = add("deliveries", f"List the {_MOST} newest messages.")
        deliveries.add_argument("--webhook", metavar="NAME", help="of this webhook only")
        deliveries.add_argument("--state", choices=("waiting", "delivered", "parked"))
        again = add("redeliver", "Have a message sent again, under its own id.", writes=True)
        again.add_argument("message", type=_message_id, metavar="ID", help="from deliveries")

    def handle(self, *args: Any, what: str, **options: Any) -> None:
        """Do one of them. The exit code is 1 if it is refused, or if a test is not taken."""
        doers: Mapping[str, Callable[[dict[str, Any]], None]] = {
            "list": self._list,
            "add": self._add,
            "rotate": self._rotate,
            "end": self._end,
            "test": self._test,
            "deliveries": self._deliveries,
            "redeliver": self._redeliver,
        }
        doers[what](options)

    def _list(self, options: dict[str, Any]) -> None:
        from estserver.models import Webhook
        from estserver.webhooks.subscriptions import active_webhooks

        rows = Webhook.objects.all() if options["all"] else active_webhooks()
        for row in rows:
            said = _webhook(row)
            state = "active" if said["active"] else "ended"
            text = f"{row.name} {state} {said['host']} {', '.join(row.events)} ({row.pk})"
            self._say(options, said, text)
        if not rows.exists() and not options["json"]:
            self.stdout.write("There is no webhook. manage.py webhooks add NAME URL adds one.")

    def _add(self, options: dict[str, Any]) -> None:
        from estserver.webhooks.events import MEANINGS
        from estserver.webhooks.post import check_url, origin
        from estserver.webhooks.subscriptions import add_webhook, check_events

        events = list(MEANINGS) if options["every_event"] else options["events"]
        if options["dry_run"]:
            check_url(options["url"])
            host, chosen = origin(options["url"]), check_events(events)
            said = {"name": options["name"], "host": host, "events": chosen, "dry_run": True}
            self._say(options, said, f"would add {options['name']}: {host} {', '.join(chosen)}")
            return
        row, secret = add_webhook(
            options["name"], options["url"], events, reason=options["reason"], actor=command_actor()
        )
        text = f"added {row.name}: its secret is shown once: {secret}"
        self._say(options, {**_webhook(row), "secret": secret}, text)

    def _rotate(self, options: dict[str, Any]) -> None:
        from estserver.webhooks.subscriptions import find_webhook, rotate_secret

        row = find_webhook(options["name"])
        if options["dry_run"]:
            self._say(options, {**_webhook(row), "dry_run": True}, f"would change {row.name}")
            return
        secret = rotate_secret(row, reason=options["reason"], actor=command_actor())
        text = f"changed {row.name}: its new secret is shown once: {secret}"
        self._say(options, {**_webhook(row), "secret": secret}, text)

    def _end(self, options: dict[str, Any]) -> None:
        from estserver.webhooks.subscriptions import end_webhook, find_webhook

        row = find_webhook(options["name"])
        if options["dry_run"]:
            self._say(options, {**_webhook(row), "dry_run": True}, f"would end {row.name}")
            return
        end_webhook(row, reason=options["reason"], actor=command_actor())
        self._say(options, {**_webhook(row), "active": False}, f"ended: {row.name}")

    def _test(self, options: dict[str, Any]) -> None:
        from estserver.webhooks.subscriptions import find_webhook, test_webhook

        row = find_webhook(options["name"])
        failure = test_webhook(row, actor=command_actor())
        said = {"name": row.name, "taken": not failure, "error": failure}
        if options["json"]:
            self.stdout.write(json.dumps(said))
            if failure:
                raise SystemExit(REFUSED)
        elif failure:
            refuse(f"The test was not taken: {failure}")
        else:
            self.stdout.write(f"{row.name} has taken the test.")

    def _deliveries(self, options: dict[str, Any]) -> None:
        from estserver.models import Message
        from estserver.webhooks.subscriptions import find_webhook

        rows = Message.objects.select_related("webhook")
        if options["webhook"]:
            rows = rows.filter(webhook=find_webhook(options["webhook"]))
        if options["state"]:
            rows = rows.filter(state=options["state"])
        for row in rows[:_MOST]:
            said = _message(row)
            error = f": {row.last_error}" if row.last_error else ""
            to = said["webhook"] or row.channel
            text = f"{row.pk} {row.state} {row.event} to {to}, {row.attempts} attempts{error}"
            self._say(options, said, text)

    def _redeliver(self, options: dict[str, Any]) -> None:
        from estserver.models import Message
        from estserver.webhooks.subscriptions import redeliver

        row = Message.objects.select_related("webhook").filter(pk=options["message"]).first()
        if row is None:
            refuse(f"There is no message {options['message']}. manage.py webhooks deliveries.")
        if not options["dry_run"]:
            redeliver(row, reason=options["reason"], actor=command_actor())
            row.refresh_from_db()
        said = {**_message(row), "dry_run": options["dry_run"]}
        word = "would be sent" if options["dry_run"] else "is sent"
        self._say(options, said, f"{row.event} {word} again")

    def _say(self, options: dict[str, Any], said: dict[str, Any], text: str) -> None:
        self.stdout.write(json.dumps(said) if options["json"] else text)


def _message_id(text: str) -> uuid.UUID:
    return uuid.UUID(text.removeprefix("msg_"))


def _webhook(row: models.Model) -> dict[str, Any]:
    from estserver.webhooks.post import origin

    one: Any = row
    return {
        "id": str(one.pk),
        "name": one.name,
        "active": one.ended_at is None,
        "host": origin(one.url),
        "events": one.events,
        "created_by": one.created_by,
        "created_at": one.created_at.isoformat(),
    }


def _message(row: models.Model) -> dict[str, Any]:
    one: Any = row
    return {
        "id": str(one.pk),
        "channel": one.channel,
        "webhook": one.webhook.name if one.webhook else None,
        "event": one.event,
        "state": one.state,
        "attempts": one.attempts,
        "error": one.last_error,
        "created_at": one.created_at.isoformat(),
    }
