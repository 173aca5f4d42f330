"""What a person does with webhooks: add, rotate the secret, test, end. Each is on the audit trail.

The trail has the host and never the path of the address, which may be a secret of the receiver.
"""

import datetime
import uuid
from collections.abc import Sequence
from typing import Any, Final

from django.db.models import QuerySet
from django.utils import timezone

from estserver.models import Message, Webhook
from estserver.webhooks.contents import message_for
from estserver.webhooks.events import MEANINGS, Event, EventType
from estserver.webhooks.messages import add_messages, attempt, send_again
from estserver.webhooks.post import check_url, origin
from estserver.webhooks.signing import new_secret, seal_secret
from pki.operators.errors import OperatorError
from pki.record import audit_trail, due_work
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction

MOST_WEBHOOKS: Final = 20
"""How many may be active. Each event is a row for each of them."""
BOTH_SECRETS_FOR: Final = datetime.timedelta(days=1)
"""How long the earlier secret signs beside the new one."""


def active_webhooks() -> QuerySet[Webhook]:
    """Return those that are told of events, the newest first."""
    return Webhook.objects.filter(ended_at=None)


def find_webhook(name: str) -> Webhook:
    """Return the active webhook of this name or id. Raises ``OperatorError``."""
    found = active_webhooks().filter(name=name).first()
    if found is None:
        try:
            found = active_webhooks().filter(pk=uuid.UUID(name)).first()
        except ValueError:
            found = None
    if found is None:
        raise OperatorError(f"There is no active webhook {name!r}. manage.py webhooks list.")
    return found


def add_webhook(
    name: str, url: str, events: Sequence[str], *, reason: str, actor: Actor
) -> tuple[Webhook, str]:
    """Add a webhook that is told of what happens from now on. Return it with its secret.

    The secret is in no answer after this one. Raises ``OperatorError``.
    """
    # Step 1: refuse what cannot be one.
    _check_reason(reason)
    name = name.strip()
    if not name or len(name) > 80 or not name.isprintable():
        raise OperatorError("A webhook needs a name of 1 to 80 visible characters.")
    check_url(url)
    chosen = check_events(events)
    secret = new_secret()
    sealed = seal_secret(secret)
    now = timezone.now()

    def add() -> Webhook:
        active = list(active_webhooks().values_list("name", flat=True)[:MOST_WEBHOOKS])
        if name in active:
            raise OperatorError(f"There is an active webhook {name!r}. Choose another name.")
        if len(active) >= MOST_WEBHOOKS:
            raise OperatorError(f"There are {MOST_WEBHOOKS} active webhooks, the most. End one.")
        row = Webhook.objects.create(
            name=name,
            url=url,
            events=chosen,
            secret=sealed,
            created_by=actor.name[:200],
            created_at=now,
            read_until=now,
            expiries_until=now,
        )
        _record("webhook-add", row, actor, reason, after={"host": origin(url), "events": chosen})
        due_work.announce(now)
        return row

    # Step 2: the row. A paused schedule is woken.
    return in_write_transaction(add), secret


def check_events(events: Sequence[str]) -> list[str]:
    """Return the events in their order. Raises ``OperatorError`` for none, and for unknown ones."""
    known = ", ".join(MEANINGS)
    if not events:
        raise OperatorError(f"A webhook needs one event at least. The events are {known}.")
    if unknown := sorted(set(events) - set(MEANINGS)):
        raise OperatorError(f"There is no event {', '.join(unknown)}. The events are {known}.")
    return [event.value for event in MEANINGS if event in events]


def rotate_secret(webhook: Webhook, *, reason: str, actor: Actor) -> str:
    """Give the webhook a new secret, and return it. The earlier one signs too for a day.

    Raises ``OperatorError`` if it was ended.
    """
    _check_reason(reason)
    secret = new_secret()
    sealed = seal_secret(secret)
    until = timezone.now() + BOTH_SECRETS_FOR

    def rotate() -> None:
        row = active_webhooks().filter(pk=webhook.pk).first()
        if row is None:
            raise OperatorError(f"The webhook {webhook} was ended.")
        active_webhooks().filter(pk=row.pk).update(
            secret=sealed, earlier_secret=row.secret, earlier_until=until
        )
        _record("webhook-rotate", row, actor, reason, after={"earlier_until": until.isoformat()})

    in_write_transaction(rotate)
    return secret


def end_webhook(webhook: Webhook, *, reason: str, actor: Actor) -> None:
    """Tell the webhook nothing more, not even what waits. Raises ``OperatorError``.

    The secrets are forgotten.
    """
    _check_reason(reason)

    def end() -> None:
        ended = active_webhooks().filter(pk=webhook.pk)
        changes = {"ended_at": timezone.now(), "secret": "", "earlier_secret": ""}
        if not ended.update(**changes):
            raise OperatorError(f"The webhook {webhook} was ended before.")
        _record("webhook-end", webhook, actor, reason, before={"host": origin(webhook.url)})

    in_write_transaction(end)


def test_webhook(webhook: Webhook, *, actor: Actor) -> str:
    """Send a test event now. Return "", or why the receiver did not take it.

    Raises ``OperatorError`` if the webhook was ended.
    """
    if webhook.ended_at is not None:
        raise OperatorError(f"The webhook {webhook} was ended.")
    data = {"webhook": webhook.name, "by": actor.name}
    event = Event(f"test:{uuid.uuid4().hex}", EventType.TEST, timezone.now(), data)
    row = message_for(webhook, event)
    add_messages([row])
    return attempt(row) or ""


def redeliver(row: Message, *, reason: str, actor: Actor) -> None:
    """Have a message sent again, for a day if need be. Raises ``OperatorError``."""
    _check_reason(reason)

    def again() -> None:
        send_again(row)
        audit_trail.record(
            "message-redeliver",
            actor=actor,
            target=f"message:{row.pk}",
            reason=reason,
            before={"state": row.state, "event": row.event},
        )

    in_write_transaction(again)


def _check_reason(reason: str) -> None:
    if not reason.strip():
        raise OperatorError("Say why (--reason). The reason is kept on the audit trail.")


def _record(action: str, row: Webhook, actor: Actor, reason: str, **facts: Any) -> None:
    audit_trail.record(
        action, actor=actor, target=f"webhook:{row.name}", reason=reason.strip(), **facts
    )
