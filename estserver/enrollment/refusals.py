"""Refusals on the audit trail, where an operator finds them by their request id.

The trail is append-only, so that a client that is refused again and again could fill it. The first
refusal of a certificate for a reason is a row at once. Those of the next minute are counted in this
process, and one further row says how many there were. It is written with the next refusal that
writes a row, or when the process ends. Each refusal has its log line.

A count is lost when the process is killed. A Lambda function is frozen between requests and ends
without notice, so that it loses the counts of its last minute. The log lines are all there then.
"""

import atexit
import datetime
import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection
from django.utils import timezone

from estserver.enrollment.refusal_counts import count_refusal
from pki.exceptions import PKIError
from pki.models import IssuedCertificate
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction

logger = logging.getLogger(__name__)

COUNTED_FOR = datetime.timedelta(minutes=1)
"""How long after a refusal on the trail those of the same certificate and reason are counted."""

MOST_COUNTED = 1000
"""Certificates and reasons that are counted at once. For a further one, the oldest is written."""

REPEATED = "refuse-repeated"
"""The action of the row that has the count."""


@dataclass(slots=True)
class _Repeats:
    """The refusals since the one on the trail, of one certificate for one reason."""

    since: datetime.datetime
    actor: Actor
    reason: str
    count: int = 0
    first: str = ""
    """The request id of the first of them."""
    last: Actor | None = None

    def add(self, actor: Actor) -> None:
        """Count one more."""
        self.count += 1
        self.first = self.first or actor.request_id
        self.last = actor

    def is_over(self, now: datetime.datetime) -> bool:
        """Return whether the next refusal is a row. A clock that was set back ends it too."""
        return not self.since <= now < self.since + COUNTED_FOR

    def record(self) -> None:
        """Add the row with the count, in the caller's transaction."""
        audit_trail.record(
            REPEATED,
            actor=self.last or self.actor,
            target=self.actor.name,
            reason=self.reason,
            after={
                "count": self.count,
                "first_request_id": self.first,
                "last_request_id": self.last.request_id if self.last else "",
                "since": self.since.isoformat(timespec="seconds"),
            },
        )
        count_refusal(self.reason)


_lock = threading.Lock()
_repeats: dict[tuple[str, str], _Repeats] = {}
"""By the certificate's actor and the reason's code; the oldest comes first."""


def record_refusal(
    operation: IssuedCertificate.Operation, refused: PKIError, *, actor: Actor, target: str
) -> None:
    """Put a refusal on the audit trail, or count it if there is one like it of the last minute.

    Nothing is raised when the database is out of reach, which may be what was refused for: the log
    line has to do then.
    """
    key = (actor.name, refused.reason.code)
    reason = str(refused)
    # Step 1: count a repetition, and take what is to be written.
    with _lock:
        now = timezone.now()
        known = _repeats.get(key)
        if known is not None and not known.is_over(now):
            known.add(actor)
            return
        ended = _take_ended(now)
        _repeats[key] = _Repeats(now, actor, reason)

    def record() -> None:
        for each in ended:
            each.record()
        audit_trail.record(f"refuse-{operation}", actor=actor, target=target, reason=reason)
        count_refusal(reason)

    # Step 2: write it, without the lock.
    try:
        in_write_transaction(record)
    except PKIError:
        logger.exception("the refusal of %s isn't on the audit trail", target)
        with _lock:  # so that the next one is a row
            begun = _repeats.pop(key, None)
        _log_lost([*ended, *([begun] if begun and begun.count else [])])


def _take_ended(now: datetime.datetime) -> list[_Repeats]:
    """Take from the table what is over, and the oldest when it is full. Return those with counts.

    The caller holds the lock.
    """
    ended = [key for key, each in _repeats.items() if each.is_over(now)]
    if not ended and len(_repeats) >= MOST_COUNTED:
        ended = [next(iter(_repeats))]
    taken = [_repeats.pop(key) for key in ended]
    return [each for each in taken if each.count]


def forget() -> None:
    """Drop the counts, as when the database was replaced."""
    with _lock:
        _repeats.clear()


def write_counts() -> None:
    """Write every count, as when the process ends. Raises nothing."""
    with _lock:
        counted = [each for each in _repeats.values() if each.count]
        _repeats.clear()
    if not counted:
        return

    def record() -> None:
        for each in counted:
            each.record()

    try:
        in_write_transaction(record)
    except Exception:  # of any kind, because the process ends
        logger.exception("counts of refusals aren't on the audit trail")
        _log_lost(counted)


def _log_lost(counted: Iterable[_Repeats]) -> None:
    for each in counted:
        logger.warning(
            "%d more refusals of %s aren't on the audit trail: %s",
            each.count,
            each.actor.name,
            each.reason,
        )


def _write_counts_at_exit() -> None:
    write_counts()
    connection.close()


atexit.register(_write_counts_at_exit)
