"""Messages that wait until their receiver takes them: the outbox of webhooks and notices.

A row is sent by whoever claims it, by a conditional update of the time of its next attempt. A
worker that dies leaves the row claimed for ``CLAIM``, and then it is sent again. So a receiver may
get a message twice, and knows it by its id.
"""

import datetime
import logging
import random
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from django.db.models import F, Min
from django.utils import timezone

from estserver.models import Message, Webhook
from estserver.people.sealed import CannotUnseal
from estserver.webhooks import notice_channels
from estserver.webhooks.post import NotTaken, post
from estserver.webhooks.signing import signature_headers, unseal_secret
from pki.models.fields import first_identifier
from pki.operators.errors import OperatorError
from pki.record import due_work
from pki.record.transactions import CHUNK, in_write_transaction

logger = logging.getLogger(__name__)

State = Message.State
Channel = Message.Channel

FIRST_RETRY: Final = datetime.timedelta(minutes=1)
LAST_RETRY: Final = datetime.timedelta(hours=2)
"""The pause doubles after each failure, from the first of these to the last."""
RETRIED_FOR: Final = datetime.timedelta(days=1)
"""How long a message is tried. The next failure gives it up, and a person may send it again."""
KEPT_FOR: Final = datetime.timedelta(days=31)
"""How long messages are shown that were taken or given up."""
CLAIM: Final = datetime.timedelta(minutes=2)
"""Longer than an attempt takes."""
FAILURES_IN_A_ROW: Final = 3
"""After so many, a receiver is left alone until the next run, which comes in a minute."""
_MOST_OF_ONE: Final = 500


@dataclass(slots=True)
class Sent:
    """What a run did."""

    delivered: int = 0
    failed: int = 0


def add_messages(rows: Sequence[Message]) -> int:
    """Add those that tell something new, and return how many they are. Raises ``Busy``."""

    def add(chunk: Sequence[Message]) -> int:
        known = set(
            Message.objects.filter(once__in=[row.once for row in chunk]).values_list(
                "once", flat=True
            )
        )
        new = [row for row in chunk if row.once not in known]
        Message.objects.bulk_create(new)
        return len(new)

    chunks = (rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK))
    return sum(in_write_transaction(partial(add, chunk)) for chunk in chunks)


def next_message_due() -> datetime.datetime | None:
    """Return when the next message is due, which is now while a webhook waits for events.

    An enrollment writes nothing for a webhook, so nothing else would wake a paused schedule.
    """
    if Webhook.objects.filter(ended_at=None).exists():
        return timezone.now()
    first: datetime.datetime | None
    waiting = Message.objects.filter(state=State.WAITING)
    first = waiting.aggregate(first=Min("next_attempt_at"))["first"]
    return first


def send_due(*, seconds: float) -> Sent:
    """Send what is due until ``seconds`` are over, to each receiver in turn. Raises ``Busy``.

    The order of the receivers is random, so that one that never answers does not take all the time
    at each run.
    """
    done = Sent()
    until = time.monotonic() + seconds
    due = Message.objects.filter(state=State.WAITING, next_attempt_at__lte=timezone.now())
    receivers = list(due.order_by().values("channel", "webhook").distinct())
    random.shuffle(receivers)
    for receiver in receivers:
        failures = 0
        rows = due.filter(channel=receiver["channel"], webhook=receiver["webhook"])
        for row in rows.order_by("next_attempt_at").select_related("webhook")[:_MOST_OF_ONE]:
            if time.monotonic() >= until:
                return done
            outcome = attempt(row)
            if outcome is None:
                continue
            done.delivered += not outcome
            done.failed += bool(outcome)
            failures = failures + 1 if outcome else 0
            if failures == FAILURES_IN_A_ROW:
                break
    return done


def attempt(row: Message) -> str | None:
    """Send a waiting message once. Return "", or why it was not taken; None if it was not claimed.

    Raises ``Busy`` when the database cannot be reached. The message is sent again then.
    """
    # Step 1: claim it, so that nobody else sends it at the same time.
    if not _claim(row):
        return None
    if row.webhook is not None and row.webhook.ended_at is not None:
        in_write_transaction(lambda: Message.objects.filter(pk=row.pk).delete())
        return None
    # Step 2: send it, outside of any transaction.
    try:
        _SENDERS[Channel(row.channel)](row)
    except NotTaken as error:
        return _postpone(row, str(error), is_final=error.is_final)
    except (OperatorError, CannotUnseal) as error:
        return _postpone(row, str(error))
    except Exception as error:  # of any kind, because the others have to be sent nevertheless
        logger.exception("a message was not sent")
        return _postpone(row, f"{type(error).__name__}: see the log.")
    # Step 3: record that it was taken.
    _settle(row, {"state": State.DELIVERED, "last_error": "", "settled_at": timezone.now()})
    return ""


def send_again(row: Message) -> None:
    """Have a message sent again from now on, whatever became of it, in the caller's transaction.

    It keeps its id. Raises ``OperatorError`` if its webhook was ended.
    """
    if Webhook.objects.filter(pk=row.webhook_id).exclude(ended_at=None).exists():
        raise OperatorError(f"The webhook {row.webhook} was ended, so nothing is sent to it.")
    now = timezone.now()
    Message.objects.filter(pk=row.pk).update(
        state=State.WAITING,
        attempts=0,
        next_attempt_at=now,
        give_up_at=now + RETRIED_FOR,
        settled_at=None,
    )
    due_work.announce(now)


def remove_old_messages() -> int:
    """Remove what was taken or given up and is not shown any more. Return how many these were."""
    removed = 0
    settled = (State.DELIVERED, State.PARKED)
    while True:
        old = Message.objects.filter(
            pk__lt=first_identifier(timezone.now() - KEPT_FOR), state__in=settled
        )
        keys = list(old.order_by("pk").values_list("pk", flat=True)[:CHUNK])
        if not keys:
            return removed
        removed += in_write_transaction(partial(_remove, keys))


def _remove(keys: Sequence[uuid.UUID]) -> int:
    return Message.objects.filter(pk__in=keys).delete()[0]


def _claim(row: Message) -> bool:
    claimed_until = timezone.now() + CLAIM
    waiting = Message.objects.filter(
        pk=row.pk, state=State.WAITING, next_attempt_at=row.next_attempt_at
    )
    changes = {"next_attempt_at": claimed_until, "attempts": F("attempts") + 1}
    if not in_write_transaction(lambda: waiting.update(**changes)):
        return False
    row.next_attempt_at = claimed_until
    row.attempts += 1
    return True


def _postpone(row: Message, error: str, *, is_final: bool = False) -> str:
    """Set the next attempt, or give the message up. Return the error."""
    now = timezone.now()
    said = error.replace("\0", "")[:500]  # PostgreSQL takes no NUL
    changes: dict[str, Any] = {"last_error": said}
    if is_final or now >= row.give_up_at:
        changes |= {"state": State.PARKED, "settled_at": now}
    else:
        pause = min(FIRST_RETRY * 2 ** min(row.attempts - 1, 30), LAST_RETRY)
        changes["next_attempt_at"] = now + pause
    _settle(row, changes)
    logger.warning("%s %s was not taken: %s", row.channel, row.event, said)
    return said


def _settle(row: Message, changes: Mapping[str, Any]) -> None:
    """Record the outcome, unless the claim ran out and somebody else has the row."""
    claimed = Message.objects.filter(pk=row.pk, next_attempt_at=row.next_attempt_at)
    in_write_transaction(lambda: claimed.update(**changes))


def _to_webhook(row: Message) -> None:
    webhook = row.webhook
    assert webhook is not None  # noqa: S101  # the channel's rows have one
    known = [unseal_secret(webhook.secret)]
    if webhook.earlier_until is not None and webhook.earlier_until > timezone.now():
        known.append(unseal_secret(webhook.earlier_secret))
    body = row.body.encode()
    headers = signature_headers(f"msg_{row.pk.hex}", int(time.time()), body, known)
    post(webhook.url, body, headers)


_SENDERS: Mapping[Channel, Callable[[Message], None]] = {
    Channel.WEBHOOK: _to_webhook,
    Channel.EMAIL: notice_channels.send_mail,
    Channel.SNS: notice_channels.publish,
}
