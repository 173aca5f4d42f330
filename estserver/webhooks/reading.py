"""From the record to messages: what happened since a webhook was last told, and what expires.

An enrollment writes nothing for webhooks. Events are read from the audit trail, which says what
happened anyway, by a cursor. A transaction may commit a row after later ones were read. So each run
also reads what the last ``OVERLAP`` before the cursor has, and ``Message.once`` keeps an event from
being told twice.
"""

import datetime
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from django.db.models import Q
from django.utils import timezone

from estserver.models import Webhook
from estserver.webhooks.contents import (
    authority_data,
    certificate_data,
    message_for,
    shown,
)
from estserver.webhooks.events import CA_EXPIRY_DAYS, EXPIRY_DAYS, Event, EventType
from estserver.webhooks.messages import add_messages
from estserver.webhooks.trail import ACTIONS, Refusals, events_in
from pki.models import AuditEvent, CertificateAuthority, IssuedCertificate
from pki.models.fields import first_identifier
from pki.record.transactions import in_write_transaction

OVERLAP: Final = datetime.timedelta(minutes=6)
"""Longer than a transaction takes. Aurora DSQL ends one after five minutes:
https://docs.aws.amazon.com/aurora-dsql/latest/userguide/CHAP_quotas.html"""
PAGE: Final = 500

_DAY: Final = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Reading:
    """What was read: until when, and the events that had not been told."""

    until: datetime.datetime
    added: int


def read_events(*, seconds: float) -> int:
    """Add a message for each event since the last run to each webhook that wants it.

    Return how many are new. Without a webhook this is one statement. What is not read within
    ``seconds`` is read by the next run. Raises ``Busy``.
    """
    webhooks = list(Webhook.objects.filter(ended_at=None))
    if not webhooks:
        return 0
    now, until = timezone.now(), time.monotonic() + seconds

    def is_over() -> bool:
        return time.monotonic() >= until

    # Step 1: the trail.
    read = _read_trail(webhooks, now, is_over)
    _move(webhooks, read_until=read.until)
    # Step 2: what expires.
    expiries = _read_expiries(webhooks, now, is_over)
    _move(webhooks, expiries_until=expiries.until)
    return read.added + expiries.added


def _move(webhooks: Sequence[Webhook], **cursor: datetime.datetime) -> None:
    rows = Webhook.objects.filter(pk__in=[webhook.pk for webhook in webhooks])
    in_write_transaction(lambda: rows.update(**cursor))


def _read_trail(
    webhooks: Sequence[Webhook], now: datetime.datetime, is_over: Callable[[], bool]
) -> _Reading:
    """Read page by page, by the key, which is in the order of time."""
    newest = min(webhook.read_until for webhook in webhooks)
    start = newest - OVERLAP
    refusals = Refusals(start)
    last, added, horizon = first_identifier(start), 0, now
    while True:
        rows = list(
            AuditEvent.objects.filter(pk__gt=last, action__in=ACTIONS)
            .order_by("pk")
            .only(
                "pk", "at", "action", "actor", "target", "reason", "request_id", "before", "after"
            )[:PAGE]
        )
        added += _tell(webhooks, events_in(rows))
        for row in rows:
            refusals.add(row)
        if len(rows) < PAGE:
            break
        last = rows[-1].pk
        # What lies before the cursor is read to its end, or a busy trail would never get on.
        if rows[-1].at > newest and is_over():
            horizon = min(rows[-1].at, now)
            break
    added += _tell(webhooks, refusals.events(until=horizon))
    return _Reading(horizon, added)


def _tell(webhooks: Sequence[Webhook], events: Sequence[Event]) -> int:
    return add_messages(
        [
            message_for(webhook, event)
            for webhook in webhooks
            for event in events
            if event.type in webhook.events and event.at >= webhook.created_at
        ]
    )


def _read_expiries(
    webhooks: Sequence[Webhook], now: datetime.datetime, is_over: Callable[[], bool]
) -> _Reading:
    """Read what came so near to its end since the last run. Each row and step is told once."""
    since = min(webhook.expiries_until for webhook in webhooks) - OVERLAP
    horizon = now
    added = _tell(webhooks, list(_expiring_cas(since, now)))
    for days in EXPIRY_DAYS:
        for rows in _expiring(since + days * _DAY, now + days * _DAY):
            events = [
                Event(
                    f"expiring:{row.pk.hex}:{days}",
                    EventType.EXPIRING,
                    now,
                    {"days": days, **certificate_data(row)},
                )
                for row in rows
            ]
            added += _tell(webhooks, events)
            reached = rows[-1].not_after - days * _DAY
            if len(rows) == PAGE and reached > since + OVERLAP and is_over():
                horizon = min(horizon, reached)
                break
    return _Reading(horizon, added)


def _expiring(
    after: datetime.datetime, until: datetime.datetime
) -> Iterator[list[IssuedCertificate]]:
    """Yield pages of the current certificates that expire within a time, along their index."""
    current = IssuedCertificate.objects.filter(
        state=IssuedCertificate.State.ISSUED, not_after__lte=until
    )
    beyond = Q(not_after__gt=after)
    while True:
        rows = list(shown(current.filter(beyond).order_by("not_after", "pk"))[:PAGE])
        if rows:
            yield rows
        if len(rows) < PAGE:
            return
        last = rows[-1]
        beyond = Q(not_after__gte=last.not_after) & (
            Q(not_after__gt=last.not_after) | Q(pk__gt=last.pk)
        )


def _expiring_cas(since: datetime.datetime, now: datetime.datetime) -> Iterator[Event]:
    active = CertificateAuthority.objects.issuing().defer("pem", "chain_pem", "cross_pem")
    for row in active:
        for days in CA_EXPIRY_DAYS:
            if since < row.not_after - days * _DAY <= now:
                data = {"days": days, **authority_data(row)}
                key = f"ca-expiring:{row.pk.hex}:{days}"
                yield Event(key, EventType.CA_EXPIRING, now, data)
